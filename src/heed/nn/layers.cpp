#include "heed/nn/layers.h"

#include "heed/nn/initialization.h"
#include "heed/tensor/backends.h"

namespace heed::nn {
namespace {

std::vector<std::string> with_suffix(const std::vector<std::string>& names, const std::string& suffix) {
  std::vector<std::string> result;
  result.reserve(names.size());
  for (const std::string& name : names) result.push_back(name + suffix);
  return result;
}

}  // namespace

Linear::Linear(Builder& b, const std::vector<std::string>& names, int64_t in, int64_t out,
               const LinearOptions& options) {
  check(!options.transposed || names.size() == 1, "a transposed weight cannot be shared by {} names", names.size());
  const Shape shape = options.transposed ? Shape{in, out} : Shape{out, in};
  const Tensor w = b.store.create(with_suffix(names, ".weight"), shape, options.rows);
  // Each named part is initialised as the matrix of its own that it is.
  if (b.deviation > 0) normal(w, b.deviation, b);
  else xavier_uniform(w, in, out / static_cast<int64_t>(names.size()), b);
  weight = ops::Weight(w, options.transposed);
  b.store.add_linear_maps(names, weight, options.rows);
  if (!options.bias) return;
  bias = b.store.create(with_suffix(names, ".bias"), {out}, options.rows);
  constant(bias, 0, b);
}

Norm::Norm(Builder& b, const std::string& name, int64_t model, float eps, NormKind norm_kind) {
  kind = norm_kind;
  epsilon = eps;
  gamma = b.store.create({name + ".weight"}, {model});
  constant(gamma, 1, b);
  if (kind == NormKind::kRms) return;
  beta = b.store.create({name + ".bias"}, {model});
  constant(beta, 0, b);
}

FeedForward::FeedForward(Builder& b, const std::pair<std::string, std::string>& names, int64_t model, int64_t ffn,
                         Activation act, float act_dropout, const LinearOptions& options)
    : fc1(b, {names.first}, model, ffn, options),
      fc2(b, {names.second}, ffn, model, options),
      activation(act),
      activation_dropout(act_dropout),
      site(b.take_sites(1)) {}

GatedFeedForward::GatedFeedForward(Builder& b, const Names& names, int64_t model, int64_t ffn, Activation act,
                                   float act_dropout, bool bias)
    : gate_up(b, {names.gate, names.up}, model, 2 * ffn, {.bias = bias}),
      down(b, {names.down}, ffn, model, {.bias = bias}),
      activation(act),
      activation_dropout(act_dropout),
      site(b.take_sites(1)) {}

Tensor GatedFeedForward::operator()(const Tensor& x, const Pass& pass, const ops::TokenRowsPtr& rows) const {
  const Tensor both = gate_up(x, pass, rows);  // [tokens, 2 * ffn]
  const int64_t ffn = both.shape().cols() / 2;
  const Tensor gated = ops::multiply(ops::activation(both.slice_columns(0, ffn), activation),
                                     both.slice_columns(ffn, ffn));  // [tokens, ffn]
  return down(ops::dropout(gated, pass.dropout(activation_dropout, site, rows)), pass, rows);
}

Residual::Residual(Builder& b, const std::string& name, int64_t model, bool pre, float dropout, float eps,
                   NormKind kind)
    : norm(b, name, model, eps, kind), pre_norm(pre), rate(dropout), site(b.take_sites(1)) {}

}  // namespace heed::nn
