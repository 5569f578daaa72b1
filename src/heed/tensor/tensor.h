// Tensor: a handle on an array of numbers that may take part in differentiation.
//
// Copying a Tensor copies the handle. Several handles may look at one array: whole, some of its rows, or some of its
// columns (see TensorView); all of them share its gradient, of which each sees the same part. Distinct tensors may be
// used by distinct threads; one tensor may be read by many.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "heed/core/tensor_view.h"
#include "heed/tensor/storage.h"

namespace heed {

struct GradNode;  // autograd/autograd.h

// What all handles on one array share.
struct TensorBody {
  std::shared_ptr<Storage> storage;  // none: given up (ops/weight.h), and only the shape is left
  size_t byte_offset = 0;            // of the array in the storage: parameters share one flat storage
  Shape shape;
  DType dtype = DType::kF32;
  bool requires_grad = false;
  bool grad_written = false;         // whether `grad` holds this pass's gradient yet
  std::shared_ptr<TensorBody> grad;  // d loss / d this, same shape; made on first use
  std::shared_ptr<GradNode> node;    // how this was computed; none for leaves
  uint64_t version = 0;              // counts updates in place, so that packed weights follow
  DType product = DType::kF32;       // of a weight: what training rounds the factors of its products to, f32 or bf16
};

class Tensor {
 public:
  Tensor() = default;  // undefined
  explicit Tensor(std::shared_ptr<TensorBody> body);

  static Tensor empty(Shape shape, DType dtype = DType::kF32, Device device = {});
  static Tensor full(Shape shape, double value, DType dtype = DType::kF32, Device device = {});
  static Tensor zeros(Shape shape, DType dtype = DType::kF32, Device device = {}) {
    return full(shape, 0, dtype, device);
  }
  // A copy of `values` (T: float, int32_t, int64_t, …); their number must be shape.numel().
  template <class T>
  static Tensor from(std::span<const T> values, Shape shape, Device device = {}) {
    return from_bytes(std::as_bytes(values), shape, kDTypeOf<T>, device);
  }
  template <class T>
  static Tensor from(const std::vector<T>& values, Shape shape, Device device = {}) {
    return from(std::span<const T>(values), shape, device);
  }
  static Tensor from_bytes(std::span<const std::byte> bytes, Shape shape, DType dtype, Device device = {});
  // A leaf over part of an existing storage, for flat parameter buffers.
  static Tensor on_storage(std::shared_ptr<Storage> storage, size_t byte_offset, Shape shape, DType dtype);

  bool defined() const { return body_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int64_t dim(int i) const { return shape_[i]; }
  int64_t numel() const { return shape_.numel(); }
  DType dtype() const { return body_->dtype; }
  Device device() const { return storage().device(); }
  bool contiguous() const { return view().contiguous(); }
  // Whether this handle sees the whole array.
  bool whole() const { return shape_.numel() == body_->shape.numel(); }

  // For kernels. An undefined tensor gives an empty view.
  TensorView view() const;
  template <class T>
  T* data() const {
    return view().as<T>();
  }
  // The elements in order, wherever they lie. T must be the element type.
  template <class T>
  std::vector<T> to_vector() const {
    std::vector<T> values(static_cast<size_t>(numel()));
    copy_out(std::as_writable_bytes(std::span(values)), kDTypeOf<T>);
    return values;
  }
  float item() const;  // the value of a tensor of one f32 element

  // Handles on the same array. reshape needs a contiguous tensor; columns are of the last dimension.
  Tensor reshape(Shape shape) const;
  Tensor slice_rows(int64_t begin, int64_t count) const;  // of the first dimension
  Tensor slice_columns(int64_t begin, int64_t count) const;
  // A copy with its own storage, not differentiable.
  Tensor clone() const;
  // The same numbers in memory of `device`, not differentiable: this very handle if they are there, else a copy, one of
  // both devices being the CPU. Needs a contiguous tensor.
  Tensor to(Device device) const;

  bool requires_grad() const { return body_ && body_->requires_grad; }
  Tensor& set_requires_grad(bool on);
  // This handle's part of the gradient; undefined if none has been written.
  Tensor grad() const;
  const std::shared_ptr<TensorBody>& body() const { return body_; }
  // The same window onto another array of the same shape (the gradient's).
  Tensor same_window(std::shared_ptr<TensorBody> body) const;

 private:
  const Storage& storage() const;  // throws Error if it was given up
  void copy_out(std::span<std::byte> bytes, DType dtype) const;

  std::shared_ptr<TensorBody> body_;
  Shape shape_;
  int64_t offset_ = 0;      // elements from the array's begin
  int64_t row_stride_ = 0;  // elements between rows
};

}  // namespace heed
