// The affine map with its activation: the product that nearly all the time is spent in.
#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"

namespace heed::ops {

Tensor linear(const Tensor& x, const Weight& w, const Tensor& bias, Activation kind) {
  const Tensor& master = w.master();
  check<ShapeError>(x.shape().cols() == w.in_features(), "linear: input {} for a weight of {} inputs",
                    x.shape().to_string(), w.in_features());
  check<ShapeError>(!bias.defined() || bias.numel() == w.out_features(), "linear: bias {} for {} outputs",
                    bias.defined() ? bias.shape().to_string() : "", w.out_features());
  Backend& device = backend(x.device());
  Tensor y = Tensor::empty(x.shape().with(-1, w.out_features()), DType::kF32, x.device());
  if (!needs_grad({&x, &master, &bias})) {
    device.linear_packed(x.view(), *w.packed(), bias.view(), kind, y.view());
    return y;
  }
  // The backward of ReLU needs only y; the others need their input, so they are an operation of their own.
  const bool fused = kind == Activation::kNone || kind == Activation::kRelu;
  device.linear(x.view(), master.view(), w.transposed(), bias.view(), fused ? kind : Activation::kNone, y.view());
  // dz = dy act'(z);  dx = dz w;  dw = dz^T x;  dbias = sum of dz over rows
  const std::weak_ptr<TensorBody> output = y.body();  // weak: y holds this very function
  record(y, {&x, &master, &bias}, [x, w, bias, kind, output](const Tensor& dy) {
    Backend& on = backend(dy.device());
    const TensorView dz = dy.view();  // dy is ours alone: it is changed in place
    if (kind == Activation::kRelu) on.activation_backward(Tensor(output.lock()).view(), dz, kind, false, dz);
    const bool t = w.transposed();
    if (auto dx = grad_slot(x)) on.gemm(dz, false, w.master().view(), t, 1, dx.accumulate, dx.view());
    if (auto dw = grad_slot(w.master())) {
      if (t) on.gemm(x.view(), true, dz, false, 1, dw.accumulate, dw.view());
      else on.gemm(dz, true, x.view(), false, 1, dw.accumulate, dw.view());
    }
    if (auto db = grad_slot(bias)) on.column_sum(dz, db.accumulate, db.view());
  });
  return fused ? y : activation(y, kind);
}

}  // namespace heed::ops
