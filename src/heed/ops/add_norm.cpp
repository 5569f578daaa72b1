// Residual connection, dropout and normalisation (Vaswani et al. 2017, section 5.4: LayerNorm(x + Sublayer(x))).
#include "heed/ops/activations.h"
#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"

namespace heed::ops {
namespace {

// dx = dsum;  df = dropout'(dsum): where the sum is used and its norm is not
void record_sum(Tensor& sum, const Tensor& x, const Tensor& f, const DropoutSite& site) {
  record(sum, {&x, &f}, [x, f, site](const Tensor& dsum) {
    Backend& on = backend(dsum.device());
    if (auto dx = grad_slot(x)) on.scale(dsum.view(), 1, dx.accumulate, dx.view());
    auto df = grad_slot(f);
    if (!df) return;
    if (site.dropout.active()) on.dropout(dsum.view(), site.on(dsum.device()), df.accumulate, df.view());
    else on.scale(dsum.view(), 1, df.accumulate, df.view());
  });
}

}  // namespace

AddNormResult add_norm(const Tensor& input, const Tensor& added_input, const DropoutSite& site, const NormWeights& w) {
  const DType dtype = common_dtype({&input, &added_input});
  const Tensor x = cast(input, dtype), f = cast(added_input, dtype);
  check<ShapeError>(!f.defined() || f.shape() == x.shape(), "add_norm: {} and {}", x.shape(),
                    f.defined() ? f.shape() : Shape());
  check<ShapeError>(w.gamma.numel() == x.shape().cols(), "add_norm: {} weights for rows of {}", w.gamma.numel(),
                    x.shape().cols());
  Backend& device = backend(x.device());
  const bool grad = needs_grad({&x, &f, &w.gamma, &w.beta});
  Tensor sum = f.defined() ? Tensor::empty(x.shape(), dtype, x.device()) : x;
  Tensor y = Tensor::empty(x.shape(), dtype, x.device());
  const Tensor statistics = grad ? Tensor::empty({x.shape().rows(), 2}, DType::kF32, x.device()) : Tensor();
  device.add_norm(x.view(), f.view(), site.on(x.device()), w.kind, w.epsilon, w.gamma.view(), w.beta.view(),
                  f.defined() ? sum.view() : TensorView(), y.view(), statistics.view());
  if (!grad) return {sum, y};
  if (f.defined()) record_sum(sum, x, f, site);
  // With n = (sum - mean) rstd and g = dy gamma: dsum = rstd (g - mean(g) - n mean(g n));  dgamma = sum of dy n;
  // dbeta = sum of dy. x and f get what the sum gets, in the same pass.
  const bool added = f.defined();
  record(y, {&sum, &x, &f, &w.gamma, &w.beta}, [sum, x, f, site, added, statistics, w](const Tensor& dy) {
    const Tensor dsum = added ? take_grad(sum) : Tensor();
    auto dgamma = grad_slot(w.gamma), dbeta = grad_slot(w.beta), dx = grad_slot(x), df = grad_slot(f);
    const auto view = [](const GradSlot& slot) { return slot ? slot.view() : TensorView(); };
    backend(dy.device())
        .norm_backward(sum.view(), statistics.view(), w.kind, w.gamma.view(), dy.view(), dsum.view(),
                       site.on(dy.device()), dx.accumulate, view(dx), df.accumulate, view(df), dgamma.accumulate,
                       view(dgamma), view(dbeta));
  });
  return {sum, y};
}

}  // namespace heed::ops
