// The affine map with its activation and dropout: the product that nearly all the time is spent in.
#include "heed/ops/activations.h"
#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"

namespace heed::ops {
namespace {

// Without adapters.
Tensor product(const Tensor& x, const Weight& w, const Tensor& bias, Activation kind, const DropoutSite& site) {
  const Tensor& master = w.master();
  check<ShapeError>(x.shape().cols() == w.in_features(), "linear: input {} for a weight of {} inputs", x.shape(),
                    w.in_features());
  check<ShapeError>(!bias.defined() || bias.numel() == w.out_features(), "linear: bias {} for {} outputs",
                    bias.defined() ? bias.shape() : Shape(), w.out_features());
  Backend& device = backend(x.device());
  const bool grad = needs_grad({&x, &master, &bias});
  const DType kept = grad ? activation_dtype(master) : DType::kF32;
  Tensor y = Tensor::empty(x.shape().with(-1, w.out_features()), kept, x.device());
  if (!grad) {
    device.linear_packed(x.view(), *w.packed(), bias.view(), kind, y.view());
    return dropout(y, site);
  }
  const Tensor z = derivative_needs_input(kind) ? Tensor::empty(y.shape(), kept, x.device()) : Tensor();
  const DType dtype = w.product_dtype();
  // A weight changes with each step, so this form is not worth keeping.
  const auto factor = device.pack_factor(master.view(), !w.transposed(), dtype, x.shape().rows());
  device.linear(x.view(), *factor, bias.view(), kind, site.on(x.device()), z.view(), y.view());
  // dz = dropout'(dy) act'(z);  dx = dz w;  dw = dz^T x;  dbias = sum of dz over rows
  const std::weak_ptr<TensorBody> output = y.body();  // weak: y holds this very function
  record(y, {&x, &master, &bias}, [x, w, bias, kind, site, z, output, dtype](const Tensor& dy) {
    const auto view = [](const GradSlot& slot) { return slot ? slot.view() : TensorView(); };
    const auto dx = grad_slot(x), dw = grad_slot(w.master()), db = grad_slot(bias);
    backend(dy.device())
        .linear_backward(x.view(), w.master().view(), w.transposed(), dtype, kind, site.on(dy.device()),
                         (z.defined() ? z : Tensor(output.lock())).view(),
                         dy.view(),  // ours alone: it is changed in place
                         dx.accumulate, view(dx), dw.accumulate, view(dw), db.accumulate, view(db));
  });
  return y;
}

// What the adapters give for all columns.
Tensor adapted(const Tensor& x, const Weight& w, const AdapterDropout& pass) {
  std::vector<Tensor> parts;
  int64_t end = 0;
  const auto fill_to = [&](int64_t column) {
    if (column > end) parts.push_back(Tensor::zeros(x.shape().with(-1, column - end), x.dtype(), x.device()));
  };
  for (const Adapter& adapter : w.adapters()) {
    fill_to(adapter.first);
    const bool drops = adapter.dropout > 0 && pass.rows;
    const Tensor in = drops ? dropout(x, dropout_site(adapter.dropout, pass.key, adapter.site, pass.rows)) : x;
    const Tensor low = scale(product(in, adapter.a, {}, Activation::kNone, {}), adapter.scale);  // [..., rank]
    parts.push_back(product(low, adapter.b, {}, Activation::kNone, {}));
    end = adapter.first + adapter.count;
  }
  fill_to(w.out_features());
  return parts.size() == 1 ? parts.front() : concatenate_columns(parts);
}

}  // namespace

Tensor linear(const Tensor& x, const Weight& w, const Tensor& bias, Activation kind, const DropoutSite& site,
              const AdapterDropout& adapter_dropout) {
  if (w.adapters().empty()) return product(x, w, bias, kind, site);
  const Tensor y = add(product(x, w, bias, Activation::kNone, {}), adapted(x, w, adapter_dropout));
  return dropout(kind == Activation::kNone ? y : activation(y, kind), site);
}

}  // namespace heed::ops
