// How far numbers are from what was recorded, and what is made of it: the rows of verify's table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "heed/base/json.h"
#include "heed/base/ragged.h"
#include "heed/core/tensor_view.h"
#include "heed/tensor/tensor.h"

namespace heed::verify {

// An error is within the bound if it is at most absolute + relative * max|reference| of its tensor.
struct Bound {
  double absolute = 0, relative = 0;
  double at(double largest) const { return absolute + relative * largest; }
};

enum class Status : uint8_t { kPass, kFail, kSkipped };

// One tensor (or list of numbers) against its reference.
struct Difference {
  std::string name;
  double absolute = 0;  // largest |actual - reference|; infinite where one is no number and the other is
  double largest = 0;   // largest |reference|
  double bound = 0;     // that `absolute` may reach
  int64_t count = 0;    // numbers compared
  double relative() const { return largest > 0 ? absolute / largest : absolute; }
  bool within() const { return absolute <= bound; }
};

// A row of the table: one thing that was compared.
struct Check {
  std::string what;
  std::string path;  // of the computation: "inference", "training", "composed"; empty: none
  Status status = Status::kPass;
  std::string note;  // what failed first, or why the check was skipped
  std::vector<Difference> differences;

  // The one that comes nearest to its bound, or goes farthest beyond; nullptr if there is none.
  const Difference* worst() const;
};

// A check of tensors: fails naming the first (in order) that leaves its bound.
Check numbers(std::string what, std::string path, std::vector<Difference> differences);
// A check of things that are equal or not.
Check exact(std::string what, int64_t cases, int64_t different, std::string first_difference);
Check skipped(std::string what, std::string why);
Check failed(std::string what, std::string why);

struct Report {
  std::vector<Check> checks;
  void add(Check check) { checks.push_back(std::move(check)); }
  bool passed() const;
  Json json() const;
};

// Collects the differences of one tensor.
class Comparer {
 public:
  explicit Comparer(std::string name) { difference_.name = std::move(name); }
  void add(double actual, double reference);
  Difference finish(const Bound& bound);

 private:
  Difference difference_;
};

// f32 rows [tokens, cols], packed as `layout` says, against the positions of a padded reference [rows, time, cols] or
// [rows, time]; of each row only the first `counted[i]` tokens, all if that is empty.
Difference compare_rows(const std::string& name, const Tensor& actual, const Ragged& layout,
                        const std::vector<int32_t>& counted, const TensorView& reference, const Bound& bound);
// Of equal numbers of elements, in order.
Difference compare_all(const std::string& name, const TensorView& actual, const TensorView& reference,
                       const Bound& bound);

// Element i of a tensor of any real or whole type, as a number.
double element(const TensorView& view, int64_t i);

}  // namespace heed::verify
