#include "heed/verify/comparison.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "heed/base/error.h"

namespace heed::verify {
namespace {

const char* name_of(Status status) {
  switch (status) {
    case Status::kPass: return "pass";
    case Status::kFail: return "FAIL";
    case Status::kSkipped: return "skipped";
  }
  return "";
}

// How much of its bound a difference uses up.
double use(const Difference& d) {
  if (d.bound > 0) return d.absolute / d.bound;
  return d.absolute > 0 ? std::numeric_limits<double>::infinity() : 0;
}

// A number that JSON can hold.
Json finite(double x) { return std::isfinite(x) ? Json(x) : Json(std::isnan(x) ? "nan" : "infinite"); }

Json json_of(const Difference& d) {
  return {{"name", d.name},
          {"absolute", finite(d.absolute)},
          {"relative", finite(d.relative())},
          {"bound", finite(d.bound)},
          {"numbers", d.count},
          {"pass", d.within()}};
}

}  // namespace

const Difference* Check::worst() const {
  const auto it = std::ranges::max_element(differences, {}, use);
  return it == differences.end() ? nullptr : &*it;
}

Check numbers(std::string what, std::string path, std::vector<Difference> differences) {
  Check check{std::move(what), std::move(path), Status::kPass, "", std::move(differences)};
  const auto first = std::ranges::find_if_not(check.differences, &Difference::within);
  if (first == check.differences.end()) return check;
  check.status = Status::kFail;
  if (check.differences.size() > 1) check.note = "first beyond its bound: " + first->name;
  return check;
}

Check exact(std::string what, int64_t cases, int64_t different, std::string first_difference) {
  Check check{std::move(what), "", different > 0 ? Status::kFail : Status::kPass, "", {}};
  check.note = different > 0 ? fmt::format("{} of {} differ; first: {}", different, cases, first_difference)
                             : fmt::format("{} equal", cases);
  return check;
}

Check skipped(std::string what, std::string why) { return {std::move(what), "", Status::kSkipped, std::move(why), {}}; }

Check failed(std::string what, std::string why) { return {std::move(what), "", Status::kFail, std::move(why), {}}; }

bool Report::passed() const {
  return std::ranges::none_of(checks, [](const Check& c) { return c.status == Status::kFail; });
}

Json Report::json() const {
  Json list = Json::array();
  for (const Check& c : checks) {
    Json row{{"what", c.what}, {"path", c.path}, {"status", c.status == Status::kFail ? "fail" : name_of(c.status)}};
    if (const Difference* worst = c.worst()) {
      row["absolute"] = finite(worst->absolute);
      row["relative"] = finite(worst->relative());
      row["bound"] = finite(worst->bound);
    }
    row["note"] = c.note;
    row["tensors"] = Json::array();
    for (const Difference& d : c.differences) row["tensors"].push_back(json_of(d));
    list.push_back(std::move(row));
  }
  return {{"passed", passed()}, {"checks", std::move(list)}};
}

void Comparer::add(double actual, double reference) {
  ++difference_.count;
  const bool both_nan = std::isnan(actual) && std::isnan(reference);
  double error = both_nan || actual == reference ? 0 : std::abs(actual - reference);
  if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
  difference_.absolute = std::max(difference_.absolute, error);
  if (std::isfinite(reference)) difference_.largest = std::max(difference_.largest, std::abs(reference));
}

Difference Comparer::finish(const Bound& bound) {
  difference_.bound = bound.at(difference_.largest);
  return difference_;
}

double element(const TensorView& view, int64_t i) {
  const int64_t cols = std::max<int64_t>(view.cols(), 1), r = i / cols, c = i % cols;
  switch (view.dtype) {
    case DType::kF32: return view.row<float>(r)[c];
    case DType::kBF16: return static_cast<float>(view.row<BFloat16>(r)[c]);
    case DType::kF16: return static_cast<float>(view.row<Float16>(r)[c]);
    case DType::kI64: return static_cast<double>(view.row<int64_t>(r)[c]);
    case DType::kI32: return view.row<int32_t>(r)[c];
    case DType::kI8: return view.row<int8_t>(r)[c];
    case DType::kU8: return static_cast<const uint8_t*>(view.data)[r * view.row_stride + c];
  }
  return 0;
}

Difference compare_rows(const std::string& name, const Tensor& actual, const Ragged& layout,
                        const std::vector<int32_t>& counted, const TensorView& reference, const Bound& bound) {
  const int64_t cols = reference.shape.rank() > 2 ? reference.cols() : 1;
  const int64_t time = reference.shape.rank() > 1 ? reference.shape[1] : 0;
  check<FormatError>(reference.shape.rank() >= 2 && reference.shape[0] == layout.rows(),
                     "{}: recorded with shape {}, where {} rows are", name, reference.shape.to_string(), layout.rows());
  check<FormatError>(actual.numel() == layout.tokens() * cols, "{}: {} numbers computed for {} tokens of {} recorded",
                     name, actual.numel(), layout.tokens(), cols);
  Comparer comparer(name);
  const Tensor on_host = actual.to({});
  const TensorView computed = on_host.view();
  for (int i = 0; i < layout.rows(); ++i) {
    const int64_t length = counted.empty() ? layout.length(i) : counted[static_cast<size_t>(i)];
    check<FormatError>(length <= time, "{}: row {} has {} tokens, but {} are recorded", name, i, length, time);
    for (int64_t t = 0; t < length; ++t)
      for (int64_t c = 0; c < cols; ++c)
        comparer.add(element(computed, (layout.offsets[static_cast<size_t>(i)] + t) * cols + c),
                     element(reference, (i * time + t) * cols + c));
  }
  return comparer.finish(bound);
}

Difference compare_all(const std::string& name, const TensorView& actual, const TensorView& reference,
                       const Bound& bound) {
  check<FormatError>(actual.shape.numel() == reference.shape.numel(), "{}: shape {} computed, {} recorded", name,
                     actual.shape.to_string(), reference.shape.to_string());
  Comparer comparer(name);
  for (int64_t i = 0; i < reference.shape.numel(); ++i) comparer.add(element(actual, i), element(reference, i));
  return comparer.finish(bound);
}

}  // namespace heed::verify
