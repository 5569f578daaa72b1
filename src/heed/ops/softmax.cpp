// Softmax over the last dimension.
#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"

namespace heed::ops {

Tensor softmax(const Tensor& scores) {
  const Tensor x = cast(scores, DType::kF32);
  Tensor y = Tensor::empty(x.shape(), DType::kF32, x.device());
  backend(x.device()).softmax(x.view(), y.view());
  const std::weak_ptr<TensorBody> output = y.body();
  record(y, {&x}, [x, output](const Tensor& dy) {  // dx = y (dy - sum(y dy))
    if (auto dx = grad_slot(x))
      backend(dy.device()).softmax_backward(Tensor(output.lock()).view(), dy.view(), dx.accumulate, dx.view());
  });
  return y;
}

Tensor log_softmax(const Tensor& x) {
  check(!needs_grad({&x}), "log_softmax is not differentiable; use linear_cross_entropy");
  Tensor y = Tensor::empty(x.shape(), DType::kF32, x.device());
  backend(x.device()).log_softmax(x.view(), y.view());
  return y;
}

}  // namespace heed::ops
