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

Linear::Linear(Builder& b, const std::vector<std::string>& names, int64_t in, int64_t out, bool with_bias) {
  const Tensor w = b.store.create(with_suffix(names, ".weight"), {out, in});
  // Each named part is initialised as the matrix of its own that it is.
  xavier_uniform(w, in, out / static_cast<int64_t>(names.size()), b.random);
  weight = ops::Weight(w);
  if (!with_bias) return;
  bias = b.store.create(with_suffix(names, ".bias"), {out});
  backend().fill(bias.view(), 0);
}

LayerNorm::LayerNorm(Builder& b, const std::string& name, int64_t model, float eps) {
  gamma = b.store.create({name + ".weight"}, {model});
  beta = b.store.create({name + ".bias"}, {model});
  epsilon = eps;
  backend().fill(gamma.view(), 1);
  backend().fill(beta.view(), 0);
}

FeedForward::FeedForward(Builder& b, const std::string& name, int64_t model, int64_t ffn, Activation act,
                         float act_dropout)
    : fc1(b, {name + "fc1"}, model, ffn),
      fc2(b, {name + "fc2"}, ffn, model),
      activation(act),
      activation_dropout(act_dropout),
      site(b.take_sites(1)) {}

Residual::Residual(Builder& b, const std::string& name, int64_t model, bool pre, float dropout)
    : norm(b, name, model), pre_norm(pre), rate(dropout), site(b.take_sites(1)) {}

}  // namespace heed::nn
