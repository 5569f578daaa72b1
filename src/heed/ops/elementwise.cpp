// Elementwise operations and their derivatives.
#include "heed/ops/activations.h"
#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"

namespace heed::ops {
namespace {

Tensor like(const Tensor& x) { return Tensor::empty(x.shape(), x.dtype(), x.device()); }

void check_same(const char* name, const Tensor& a, const Tensor& b) {
  check<ShapeError>(a.shape() == b.shape(), "{}: {} and {}", name, a.shape().to_string(), b.shape().to_string());
}

}  // namespace

Tensor add(const Tensor& left, const Tensor& right, const DropoutSite& site) {
  check_same("add", left, right);
  const DType dtype = common_dtype({&left, &right});
  const Tensor a = cast(left, dtype), b = cast(right, dtype);
  Tensor y = like(a);
  backend(a.device()).add(a.view(), b.view(), site.on(a.device()), y.view());
  record(y, {&a, &b}, [a, b, site](const Tensor& dy) {  // da = dy;  db = m dy
    Backend& on = backend(dy.device());
    if (auto db = grad_slot(b)) {
      if (site.dropout.active()) on.dropout(dy.view(), site.on(dy.device()), db.accumulate, db.view());
      else on.scale(dy.view(), 1, db.accumulate, db.view());
    }
    give_grad(a, dy);
  });
  return y;
}

Tensor multiply(const Tensor& left, const Tensor& right) {
  check_same("multiply", left, right);
  const DType dtype = common_dtype({&left, &right});
  const Tensor a = cast(left, dtype), b = cast(right, dtype);
  Tensor y = like(a);
  backend(a.device()).multiply(a.view(), b.view(), false, y.view());
  record(y, {&a, &b}, [a, b](const Tensor& dy) {  // da = dy b;  db = dy a
    Backend& on = backend(dy.device());
    if (auto da = grad_slot(a)) on.multiply(dy.view(), b.view(), da.accumulate, da.view());
    if (auto db = grad_slot(b)) on.multiply(dy.view(), a.view(), db.accumulate, db.view());
  });
  return y;
}

Tensor scale(const Tensor& x, float factor) {
  Tensor y = like(x);
  backend(x.device()).scale(x.view(), factor, false, y.view());
  record(y, {&x}, [x, factor](const Tensor& dy) {  // dx = factor dy
    if (auto dx = grad_slot(x)) backend(dy.device()).scale(dy.view(), factor, dx.accumulate, dx.view());
  });
  return y;
}

Tensor activation(const Tensor& x, Activation kind) {
  Tensor y = like(x);
  backend(x.device()).activation(x.view(), kind, y.view());
  record(y, {&x}, [x, kind](const Tensor& dy) {  // dx = dy act'(x)
    if (auto dx = grad_slot(x))
      backend(dy.device()).activation_backward(x.view(), dy.view(), kind, dx.accumulate, dx.view());
  });
  return y;
}

Tensor dropout(const Tensor& x, const DropoutSite& site) {
  if (!site.dropout.active()) return x;
  Tensor y = like(x);
  backend(x.device()).dropout(x.view(), site.on(x.device()), false, y.view());
  record(y, {&x}, [x, site](const Tensor& dy) {  // dx = m dy, the same m drawn again
    if (auto dx = grad_slot(x)) backend(dy.device()).dropout(dy.view(), site.on(dy.device()), dx.accumulate, dx.view());
  });
  return y;
}

Tensor sum(const Tensor& of) {
  const Tensor x = cast(of, DType::kF32);
  Tensor y = Tensor::full({1}, backend(x.device()).sum(x.view()));
  record(y, {&x}, [x](const Tensor& dy) {  // dx = dy everywhere
    auto dx = grad_slot(x);
    if (!dx) return;
    Backend& on = backend(x.device());
    if (!dx.accumulate) return on.fill(dx.view(), dy.item());
    const Tensor ones = Tensor::full(x.shape(), 1, DType::kF32, x.device());
    on.scale(ones.view(), dy.item(), true, dx.view());
  });
  return y;
}

}  // namespace heed::ops
