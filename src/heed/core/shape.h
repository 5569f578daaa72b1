// The dimensions of a tensor, outermost first, at most six.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "heed/base/error.h"

namespace heed {

class Shape {
 public:
  static constexpr int kMaxRank = 6;

  Shape() = default;  // rank 0: a scalar
  Shape(std::initializer_list<int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  // Throws ShapeError if there are too many dimensions, one is negative, or their product overflows.
  explicit Shape(std::span<const int64_t> dims);

  int rank() const { return rank_; }
  // Dimension i; negative counts from the end. Throws ShapeError if there is none.
  int64_t operator[](int i) const {
    const int j = i < 0 ? i + rank_ : i;
    if (j < 0 || j >= rank_) [[unlikely]]
      no_dimension(i);
    return dims_[static_cast<size_t>(j)];
  }
  int64_t numel() const { return numel_; }
  // The innermost dimension (1 for a scalar), and the product of all others.
  int64_t cols() const { return rank_ == 0 ? 1 : dims_[static_cast<size_t>(rank_ - 1)]; }
  int64_t rows() const;
  // The same shape with dimension i replaced.
  Shape with(int i, int64_t value) const;

  std::span<const int64_t> dims() const { return {dims_.data(), static_cast<size_t>(rank_)}; }
  bool operator==(const Shape& other) const;
  std::string to_string() const;  // "[2, 3]"

 private:
  [[noreturn]] void no_dimension(int i) const;

  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
  int64_t numel_ = 1;
};

}  // namespace heed

// Messages take a Shape as it is, so that it is written out only where a message is needed.
template <>
struct fmt::formatter<heed::Shape> : fmt::formatter<std::string> {
  template <class Context>
  auto format(const heed::Shape& shape, Context& context) const {
    return fmt::formatter<std::string>::format(shape.to_string(), context);
  }
};
