// The parts that Transformer layers are put together from: each fits beside its line of the paper.
//
// A part holds its parameters and the dropout sites fixed when it was built; what changes from pass to pass comes in a
// Pass. const calls are thread-safe.
#pragma once

#include <string>
#include <vector>

#include "heed/base/random.h"
#include "heed/nn/parameters.h"
#include "heed/ops/ops.h"

namespace heed::nn {

// What a forward pass looked like inside, for inspection and verification.
struct Trace {
  std::vector<Tensor> encoder_states, decoder_states;  // [tokens, model]; [0] enters the first layer
  // Per layer and, within it, per sentence and head (sentence * heads + head): [time_q, time_k].
  std::vector<std::vector<Tensor>> encoder_attentions, decoder_attentions, cross_attentions;
};

// One pass over a packed batch.
struct Pass {
  bool training = false;     // whether dropout acts
  uint64_t dropout_key = 0;  // from the run's seed and the epoch
  Trace* trace = nullptr;

  ops::DropoutSite dropout(float rate, uint32_t site, const ops::TokenRowsPtr& rows) const {
    return training && rate > 0 ? ops::dropout_site(rate, dropout_key, site, rows) : ops::DropoutSite{};
  }
};

// What building a model needs: where parameters go, their initial values, and the next free dropout site.
struct Builder {
  ParameterStore& store;
  Random random;
  uint32_t next_site = 0;

  uint32_t take_sites(int count) { return (next_site += static_cast<uint32_t>(count)) - static_cast<uint32_t>(count); }
};

// y = act(x w^T + b)
struct Linear {
  ops::Weight weight;
  Tensor bias;
  Linear() = default;
  // One product for several names that share the rows of the weight equally (query, key and value projections).
  Linear(Builder& b, const std::vector<std::string>& names, int64_t in, int64_t out, bool with_bias = true);
  Tensor operator()(const Tensor& x, Activation activation = Activation::kNone) const {
    return ops::linear(x, weight, bias, activation);
  }
};

// Layer normalisation with its weights.
struct LayerNorm : ops::NormWeights {
  LayerNorm() = default;
  LayerNorm(Builder& b, const std::string& name, int64_t model, float eps = 1e-5f);
};

// FFN(x) = act(x W1 + b1) W2 + b2 (section 3.3), with dropout on the activation.
struct FeedForward {
  Linear fc1, fc2;
  Activation activation = Activation::kRelu;
  float activation_dropout = 0;
  uint32_t site = 0;
  FeedForward() = default;
  FeedForward(Builder& b, const std::string& name, int64_t model, int64_t ffn, Activation act, float act_dropout);
  Tensor operator()(const Tensor& x, const Pass& pass, const ops::TokenRowsPtr& rows) const {
    const Tensor h = fc1(x, activation);  // [tokens, ffn]
    return fc2(ops::dropout(h, pass.dropout(activation_dropout, site, rows)));
  }
};

// The residual connection around a sublayer, after it (the paper: norm(x + f(x))) or before (x + f(norm(x))).
struct Residual {
  LayerNorm norm;
  bool pre_norm = false;
  float rate = 0;
  uint32_t site = 0;
  Residual() = default;
  Residual(Builder& b, const std::string& name, int64_t model, bool pre, float dropout);

  template <class Sublayer>
  Tensor operator()(const Tensor& x, const Pass& pass, const ops::TokenRowsPtr& rows, const Sublayer& f) const {
    const ops::DropoutSite drop = pass.dropout(rate, site, rows);
    if (pre_norm) return ops::add(x, ops::dropout(f(ops::add_norm(x, {}, {}, norm).y), drop));
    return ops::add_norm(x, f(x), drop, norm).y;
  }
};

}  // namespace heed::nn
