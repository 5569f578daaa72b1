#include "heed/tensor/tensor.h"

#include <cstring>

#include "heed/tensor/backends.h"

namespace heed {

Tensor::Tensor(std::shared_ptr<TensorBody> body)
    : body_(std::move(body)), shape_(body_->shape), row_stride_(body_->shape.cols()) {}

Tensor Tensor::on_storage(std::shared_ptr<Storage> storage, size_t byte_offset, Shape shape, DType dtype) {
  const size_t bytes = static_cast<size_t>(shape.numel()) * size_of(dtype);
  check<ShapeError>(byte_offset + bytes <= storage->bytes(), "a tensor of shape {} at byte {} of a storage of {}",
                    shape.to_string(), byte_offset, storage->bytes());
  auto body = std::make_shared<TensorBody>();
  body->storage = std::move(storage);
  body->byte_offset = byte_offset;
  body->shape = shape;
  body->dtype = dtype;
  return Tensor(std::move(body));
}

Tensor Tensor::empty(Shape shape, DType dtype, Device device) {
  const size_t bytes = static_cast<size_t>(shape.numel()) * size_of(dtype);
  return on_storage(std::make_shared<Storage>(bytes, device), 0, shape, dtype);
}

Tensor Tensor::full(Shape shape, double value, DType dtype, Device device) {
  Tensor tensor = empty(shape, dtype, device);
  backend(device).fill(tensor.view(), value);
  return tensor;
}

Tensor Tensor::from_bytes(std::span<const std::byte> bytes, Shape shape, DType dtype, Device device) {
  Tensor tensor = empty(shape, dtype, device);
  check<ShapeError>(bytes.size() == static_cast<size_t>(shape.numel()) * size_of(dtype),
                    "{} bytes for a tensor of {} of shape {}", bytes.size(), name_of(dtype), shape.to_string());
  backend(device).to_device(bytes.data(), bytes.size(), tensor.view().data);
  return tensor;
}

const Storage& Tensor::storage() const {
  check(body_->storage != nullptr, "the values of a weight of shape {} were given up when it was packed for inference",
        body_->shape);
  return *body_->storage;
}

Tensor Tensor::to(Device device) const {
  if (!defined() || this->device() == device) return *this;
  check(contiguous(), "a slice of columns cannot go to another device");
  Tensor result = empty(shape_, dtype(), device);
  const size_t bytes = static_cast<size_t>(numel()) * size_of(dtype());
  if (this->device().is_host()) {
    backend(device).to_device(view().data, bytes, result.view().data);
  } else {
    check<DeviceError>(device.is_host(), "a tensor cannot go from {} to {}", name_of(this->device()), name_of(device));
    backend(this->device()).to_host(view().data, bytes, result.view().data);
  }
  return result;
}

TensorView Tensor::view() const {
  if (!body_) return {};
  std::byte* data = storage().data() + body_->byte_offset + static_cast<size_t>(offset_) * size_of(body_->dtype);
  return {data, body_->dtype, shape_, row_stride_};
}

void Tensor::copy_out(std::span<std::byte> bytes, DType dtype) const {
  check<DTypeError>(dtype == body_->dtype, "a tensor of {} read as {}", name_of(body_->dtype), name_of(dtype));
  const TensorView from = view();
  const size_t row = static_cast<size_t>(from.cols()) * size_of(dtype);
  if (bytes.empty()) return;
  if (!device().is_host()) {  // one transfer, of whole rows
    const Tensor whole = from.contiguous() ? *this : clone();
    return backend(device()).to_host(whole.view().data, bytes.size(), bytes.data());
  }
  for (int64_t r = 0; r < from.rows(); ++r)
    std::memcpy(bytes.data() + static_cast<size_t>(r) * row,
                static_cast<const std::byte*>(from.data) + static_cast<size_t>(r * row_stride_) * size_of(dtype), row);
}

float Tensor::item() const {
  check<ShapeError>(numel() == 1, "item() of a tensor of shape {}", shape_.to_string());
  if (device().is_host()) return *data<float>();
  float value = 0;
  backend(device()).to_host(data<float>(), sizeof value, &value);
  return value;
}

Tensor Tensor::reshape(Shape shape) const {
  check<ShapeError>(shape.numel() == numel(), "shape {} cannot become {}", shape_.to_string(), shape.to_string());
  check<ShapeError>(contiguous() || shape.cols() == shape_.cols(), "a slice of columns cannot be reshaped to {}",
                    shape.to_string());
  Tensor result = *this;
  result.shape_ = shape;
  if (contiguous()) result.row_stride_ = shape.cols();
  return result;
}

Tensor Tensor::slice_rows(int64_t begin, int64_t count) const {
  check<ShapeError>(shape_.rank() >= 1 && begin >= 0 && count >= 0 && begin + count <= shape_[0],
                    "rows {} to {} of a tensor of shape {}", begin, begin + count, shape_.to_string());
  Tensor result = *this;
  result.shape_ = shape_.with(0, count);
  const int64_t inner_rows = shape_.rank() == 1 ? 0 : shape_.rows() / std::max<int64_t>(shape_[0], 1);
  result.offset_ += shape_.rank() == 1 ? begin : begin * inner_rows * row_stride_;
  if (shape_.rank() == 1) result.row_stride_ = count;
  return result;
}

Tensor Tensor::slice_columns(int64_t begin, int64_t count) const {
  check<ShapeError>(shape_.rank() >= 1 && begin >= 0 && count >= 0 && begin + count <= shape_.cols(),
                    "columns {} to {} of a tensor of shape {}", begin, begin + count, shape_.to_string());
  Tensor result = *this;
  result.shape_ = shape_.with(-1, count);
  result.offset_ += begin;
  return result;
}

Tensor Tensor::clone() const {
  Tensor result = empty(shape_, dtype(), device());
  backend(device()).copy(view(), result.view());
  return result;
}

Tensor& Tensor::set_requires_grad(bool on) {
  body_->requires_grad = on;
  return *this;
}

Tensor Tensor::grad() const {
  if (!body_ || !body_->grad || !body_->grad_written) return {};
  return same_window(body_->grad);
}

Tensor Tensor::same_window(std::shared_ptr<TensorBody> body) const {
  Tensor result = *this;
  result.body_ = std::move(body);
  return result;
}

}  // namespace heed
