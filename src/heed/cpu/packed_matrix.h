// PanelMatrix: a weight [out, in] as panels of `width` outputs, each stored [in][width], the last padded with zeros.
//
// A panel is as wide as two vectors of f32. Its elements are f32, bf16 or f16, as the weight's; in bf16 lane i of the
// first vector and lane i of the second lie side by side, so that one load, a shift and a mask give both in f32.
#pragma once

#include <memory>
#include <utility>

#include "heed/base/error.h"
#include "heed/core/backend.h"
#include "heed/cpu/cpu_backend.h"

namespace heed::cpu {

class PanelMatrix final : public PackedMatrix {
 public:
  PanelMatrix(int64_t out, int64_t in, int64_t width, DType dtype)
      : PanelMatrix(out, in, width, dtype, nullptr, nullptr) {
    data_ = cpu_backend().allocate(bytes());
  }
  // In memory that is there already, and kept as long as the matrix.
  PanelMatrix(int64_t out, int64_t in, int64_t width, DType dtype, void* data, std::shared_ptr<void> memory)
      : dtype_(dtype),
        out_(out),
        in_(in),
        width_(width),
        panels_((out + width - 1) / width),
        data_(data),
        memory_(std::move(memory)) {}
  PanelMatrix(const PanelMatrix&) = delete;
  PanelMatrix& operator=(const PanelMatrix&) = delete;
  ~PanelMatrix() override {
    if (!memory_ && data_) cpu_backend().deallocate(data_, bytes());
  }

  int64_t out_features() const override { return out_; }
  int64_t in_features() const override { return in_; }
  DType dtype() const { return dtype_; }
  int64_t width() const { return width_; }
  int64_t panels() const { return panels_; }
  size_t bytes() const { return static_cast<size_t>(panels_ * in_ * width_) * size_of(dtype_); }
  // T: float, BFloat16 or Float16, as dtype() says.
  template <class T>
  T* panel(int64_t i) const {
    return static_cast<T*>(data_) + i * in_ * width_;
  }
  // Where output j of a panel lies in each of its rows.
  int64_t place(int64_t j) const {
    const int64_t lanes = width_ / 2;
    return dtype_ == DType::kBF16 ? j % lanes * 2 + j / lanes : j;
  }

 private:
  DType dtype_;
  int64_t out_, in_, width_, panels_;
  void* data_;
  std::shared_ptr<void> memory_;
};

// Calls f with a value of the type of a matrix's elements: float, BFloat16 or Float16.
template <class F>
void with_matrix_type(DType dtype, const F& f) {
  switch (dtype) {
    case DType::kF32: return f(float());
    case DType::kBF16: return f(BFloat16());
    case DType::kF16: return f(Float16());
    default: fail<DTypeError>("a matrix of {}; f32, bf16 or f16 was expected", name_of(dtype));
  }
}

}  // namespace heed::cpu
