// Scaled dot-product attention of many heads over packed sentences (Vaswani et al. 2017, sections 3.2.1 and 3.2.2),
// with an optional bias by relative position (Raffel et al. 2020, section 2.1).
#include "heed/ops/activations.h"
#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"

namespace heed::ops {
namespace {

void check_shapes(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionParams& params,
                  const Tensor& bias) {
  const int64_t q_cols = int64_t{params.heads} * params.head_dim, k_cols = int64_t{params.kv_heads} * params.head_dim;
  check<ShapeError>(q.shape().cols() == q_cols && k.shape().cols() == k_cols && v.shape() == k.shape(),
                    "attention: q {}, k {}, v {} for {} heads, {} key heads of {}", q.shape(), k.shape(), v.shape(),
                    params.heads, params.kv_heads, params.head_dim);
  check<ShapeError>(params.heads % params.kv_heads == 0, "attention: {} heads over {} key heads", params.heads,
                    params.kv_heads);
  check<ShapeError>(!bias.defined() || (bias.dim(0) % 2 == 1 && bias.shape().cols() == params.heads),
                    "attention: a bias {} for {} heads; an odd number of distances by heads is needed",
                    bias.defined() ? bias.shape() : Shape(), params.heads);
}

}  // namespace

Tensor attention(const Tensor& queries, const Tensor& keys, const Tensor& values, const SegmentsPtr& segments,
                 const AttentionParams& attention_params, const Tensor& bias_table) {
  const DType dtype = common_dtype({&queries, &keys, &values});
  const Tensor q = cast(queries, dtype), k = cast(keys, dtype), v = cast(values, dtype);
  const Tensor bias = cast(bias_table, DType::kF32);
  AttentionParams params = attention_params;
  params.bias.table = bias.view();
  check_shapes(q, k, v, params, bias);
  const bool grad = needs_grad({&q, &k, &v, &bias});
  Tensor y = Tensor::empty(q.shape(), dtype, q.device());
  const Tensor lse = grad ? Tensor::empty({q.dim(0), params.heads}, DType::kF32, q.device()) : Tensor();
  backend(q.device()).attention(q.view(), k.view(), v.view(), *segments, params, y.view(), lse.view());
  // With p the probabilities: dv = p^T dy;  dp = dy v^T;  ds = p (dp - sum(y dy));  dq = scale ds k;  dk = scale ds^T
  // q; dbias[d] = sum of ds where key - query = d
  const std::weak_ptr<TensorBody> output = y.body();
  record(y, {&q, &k, &v, &bias}, [q, k, v, bias, lse, segments, params, output](const Tensor& dy) {
    // q, k and v may need different treatment (one written before, one a constant): make them alike.
    auto slots = grad_slots({&q, &k, &v});
    // Keys that no segment has are not written by the kernel.
    int64_t covered = 0;
    for (const Segment& s : *segments) covered += s.k_len;
    const bool alike = slots[0].accumulate == slots[1].accumulate && slots[1].accumulate == slots[2].accumulate;
    Backend& on = backend(dy.device());
    for (size_t i = 0; i < 3; ++i) {
      const Tensor& x = i == 0 ? q : i == 1 ? k : v;
      if (!slots[i]) slots[i].dx = Tensor::zeros(x.shape(), x.dtype(), x.device());
      else if ((!alike || covered < k.dim(0)) && !slots[i].accumulate) on.fill(slots[i].view(), 0);
    }
    const Tensor parts =
        bias.defined() ? Tensor::empty({std::ssize(*segments), bias.numel()}, DType::kF32, bias.device()) : Tensor();
    on.attention_backward(q.view(), k.view(), v.view(), Tensor(output.lock()).view(), lse.view(), dy.view(), *segments,
                          params, !alike || slots[0].accumulate, slots[0].view(), slots[1].view(), slots[2].view(),
                          parts.view());
    if (!bias.defined()) return;
    if (auto slot = grad_slot(bias))
      on.column_sum(parts.view(), slot.accumulate, slot.dx.reshape({bias.numel()}).view());
  });
  return y;
}

}  // namespace heed::ops
