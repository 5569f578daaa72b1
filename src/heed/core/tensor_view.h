// TensorView: what a kernel sees of a tensor: where it lies, its element type, its shape, and the distance between
// rows.
//
// A view is rows() rows of cols() contiguous elements each, `row_stride` elements apart: a whole tensor, or a slice of
// its columns (such as the queries in a joint query-key-value matrix). It owns nothing.
#pragma once

#include <cstddef>

#include "heed/core/dtype.h"
#include "heed/core/shape.h"

namespace heed {

struct TensorView {
  void* data = nullptr;
  DType dtype = DType::kF32;
  Shape shape;
  int64_t row_stride = 0;

  explicit operator bool() const { return data != nullptr; }
  int64_t rows() const { return shape.rows(); }
  int64_t cols() const { return shape.cols(); }
  bool contiguous() const { return row_stride == cols() || rows() <= 1; }

  // The elements as T; throws DTypeError if they are something else.
  template <class T>
  T* as() const {
    if (dtype != kDTypeOf<T>) [[unlikely]]
      fail<DTypeError>("a tensor of {} where {} was expected", name_of(dtype), name_of(kDTypeOf<T>));
    return static_cast<T*>(data);
  }
  template <class T>
  T* row(int64_t i) const {
    return as<T>() + i * row_stride;
  }
};

}  // namespace heed
