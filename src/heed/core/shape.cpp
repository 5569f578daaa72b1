#include "heed/core/shape.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace heed {

Shape::Shape(std::span<const int64_t> dims) {
  check<ShapeError>(dims.size() <= kMaxRank, "a shape of {} dimensions; at most {} are possible", dims.size(),
                    kMaxRank);
  for (const int64_t d : dims) {
    check<ShapeError>(d >= 0, "a negative dimension, {}", d);
    check<ShapeError>(!__builtin_mul_overflow(numel_, d, &numel_), "shape [{}] is too large", fmt::join(dims, ", "));
    dims_[static_cast<size_t>(rank_++)] = d;
  }
}

int64_t Shape::rows() const {
  int64_t rows = 1;
  for (int i = 0; i + 1 < rank_; ++i) rows *= dims_[static_cast<size_t>(i)];
  return rows;
}

Shape Shape::with(int i, int64_t value) const {
  const int j = i < 0 ? i + rank_ : i;
  if (j < 0 || j >= rank_) no_dimension(i);
  auto dims = dims_;
  dims[static_cast<size_t>(j)] = value;
  return Shape(std::span(dims.data(), static_cast<size_t>(rank_)));
}

void Shape::no_dimension(int i) const { fail<ShapeError>("dimension {} of shape {}", i, to_string()); }

bool Shape::operator==(const Shape& other) const { return std::ranges::equal(dims(), other.dims()); }

std::string Shape::to_string() const { return fmt::format("[{}]", fmt::join(dims(), ", ")); }

}  // namespace heed
