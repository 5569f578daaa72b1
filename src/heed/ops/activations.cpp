#include "heed/ops/activations.h"

#include <algorithm>

#include "heed/tensor/backends.h"

namespace heed::ops {

DType activation_dtype(const Tensor& x) {
  if (x.dtype() != DType::kF32 && x.requires_grad()) return x.dtype();
  return backend(x.device()).activation_dtype(x.body()->product);
}

DType common_dtype(std::initializer_list<const Tensor*> tensors) {
  const auto is_bf16 = [](const Tensor* x) { return x->defined() && x->dtype() == DType::kBF16; };
  return std::any_of(tensors.begin(), tensors.end(), is_bf16) ? DType::kBF16 : DType::kF32;
}

Tensor cast(const Tensor& x, DType dtype) {
  if (!x.defined() || x.dtype() == dtype) return x;
  Tensor y = Tensor::empty(x.shape(), dtype, x.device());
  backend(x.device()).copy(x.view(), y.view());
  record(y, {&x}, [x](const Tensor& dy) {  // dx = dy
    if (auto dx = grad_slot(x)) backend(dy.device()).scale(dy.view(), 1, dx.accumulate, dx.view());
  });
  return y;
}

}  // namespace heed::ops
