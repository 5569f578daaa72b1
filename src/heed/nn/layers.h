// The parts that Transformer layers are put together from: each fits beside its line of the paper.
//
// A part holds its parameters and the dropout sites fixed when it was built; what changes from pass to pass comes in a
// Pass. const calls are thread-safe.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "heed/autograd/autograd.h"
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
  bool recompute = false;  // layers keep their input alone and are computed again in the backward

  ops::DropoutSite dropout(float rate, uint32_t site, const ops::TokenRowsPtr& rows) const {
    return training && rate > 0 ? ops::dropout_site(rate, dropout_key, site, rows) : ops::DropoutSite{};
  }
  ops::AdapterDropout adapter_dropout(const ops::TokenRowsPtr& rows) const {
    return training ? ops::AdapterDropout{dropout_key, rows} : ops::AdapterDropout{};
  }
};

// A layer's result: f(inputs), computed again in the backward if the pass says so (see checkpointed()).
template <class F>
Tensor layer(const Pass& pass, const std::vector<Tensor>& inputs, const F& f) {
  return pass.recompute && !pass.trace ? checkpointed(inputs, f) : f(inputs);
}

// What varies among linear maps.
struct LinearOptions {
  bool bias = true;
  bool transposed = false;      // the weight is stored [in, out], as GPT-2 does
  std::vector<int64_t> rows{};  // outputs of each name, where they are not equally many
};

// y = act(x w^T + b)
struct Linear {
  ops::Weight weight;
  Tensor bias;
  Linear() = default;
  // One product for several names that share the outputs (query, key and value projections).
  Linear(Builder& b, const std::vector<std::string>& names, int64_t in, int64_t out, const LinearOptions& options = {});
  Tensor operator()(const Tensor& x, Activation activation = Activation::kNone,
                    const ops::DropoutSite& dropout = {}) const {
    return ops::linear(x, weight, bias, activation, dropout);
  }
  // In a pass over a batch whose rows are known, so that adapters of the weight can drop inputs.
  Tensor operator()(const Tensor& x, const Pass& pass, const ops::TokenRowsPtr& rows,
                    Activation activation = Activation::kNone, const ops::DropoutSite& dropout = {}) const {
    return ops::linear(x, weight, bias, activation, dropout, pass.adapter_dropout(rows));
  }
};

// Normalisation with its weights: of mean and variance (Ba et al. 2016), or of the root mean square alone.
struct Norm : ops::NormWeights {
  Norm() = default;
  Norm(Builder& b, const std::string& name, int64_t model, float eps = 1e-5f, NormKind kind = NormKind::kLayer);
  Tensor operator()(const Tensor& x) const { return ops::add_norm(x, {}, {}, *this).y; }
};

// FFN(x) = act(x W1 + b1) W2 + b2 (section 3.3), with dropout on the activation.
struct FeedForward {
  Linear fc1, fc2;
  Activation activation = Activation::kRelu;
  float activation_dropout = 0;
  uint32_t site = 0;
  FeedForward() = default;
  // `names` are those of the two linear maps.
  FeedForward(Builder& b, const std::pair<std::string, std::string>& names, int64_t model, int64_t ffn, Activation act,
              float act_dropout, const LinearOptions& options = {});
  Tensor operator()(const Tensor& x, const Pass& pass, const ops::TokenRowsPtr& rows) const {
    const Tensor h = fc1(x, pass, rows, activation, pass.dropout(activation_dropout, site, rows));  // [tokens, ffn]
    return fc2(h, pass, rows);
  }
};

// FFN(x) = (act(x Wgate) * x Wup) Wdown (Shazeer 2020, "GLU Variants Improve Transformer", section 2).
struct GatedFeedForward {
  Linear gate_up, down;  // the gate's and the other's products are one
  Activation activation = Activation::kSilu;
  float activation_dropout = 0;
  uint32_t site = 0;
  struct Names {
    std::string gate, up, down;
  };
  GatedFeedForward() = default;
  GatedFeedForward(Builder& b, const Names& names, int64_t model, int64_t ffn, Activation act, float act_dropout,
                   bool bias = false);
  Tensor operator()(const Tensor& x, const Pass& pass, const ops::TokenRowsPtr& rows) const;
};

// The residual connection around a sublayer, after it (the paper: norm(x + f(x))) or before (x + f(norm(x))).
struct Residual {
  Norm norm;
  bool pre_norm = false;
  float rate = 0;
  uint32_t site = 0;
  Residual() = default;
  Residual(Builder& b, const std::string& name, int64_t model, bool pre, float dropout, float eps = 1e-5f,
           NormKind kind = NormKind::kLayer);

  template <class Sublayer>
  Tensor operator()(const Tensor& x, const Pass& pass, const ops::TokenRowsPtr& rows, const Sublayer& f) const {
    const ops::DropoutSite drop = pass.dropout(rate, site, rows);
    if (pre_norm) return ops::add(x, f(norm(x)), drop);
    return ops::add_norm(x, f(x), drop, norm).y;
  }
};

}  // namespace heed::nn
