// Llama (Touvron et al. 2023; Llama 3: Grattafiori et al. 2024) as transformers' LlamaForCausalLM stores it: RMS norms
// before the sublayers, rotary positions, grouped key heads, SwiGLU.
#pragma once

#include "heed/models/decoder_only.h"
#include "heed/models/new_model.h"

namespace heed::models {

struct LlamaConfig {
  int64_t d_model = 4096;
  int num_layers = 32, num_heads = 32, kv_heads = 32, head_dim = 128;
  int64_t ffn = 11008;
  int64_t vocab_size = 32000;
  int64_t max_positions = 2048;
  Activation activation = Activation::kSilu;
  float norm_epsilon = 1e-6f;
  float attention_dropout = 0;
  bool attention_bias = false, mlp_bias = false;
  bool tie_output = false;  // the embedding is the output projection too
  int32_t pad_id = -1;      // its embedding takes no gradient; -1: none
  nn::RotaryConfig rotary{};
  double initializer_range = 0.02;
};

// x = x + SelfAttention(norm(x));  x = x + SwiGLU(norm(x))
struct LlamaBlock {
  nn::SelfAttention attention;
  nn::Residual attention_residual;
  nn::GatedFeedForward ffn;
  nn::Residual ffn_residual;
  LlamaBlock(nn::Builder& b, const std::string& name, const LlamaConfig& c);
  Tensor operator()(const Tensor& x, const BlockPass& p) const;
};

class LlamaModel final : public DecoderOnly {
 public:
  // New parameters drawn from `seed`, or, without one, left to be loaded.
  LlamaModel(const LlamaConfig& structure, Json config, std::optional<uint64_t> seed);

  WeightRules weight_rules() const override;

 protected:
  int layers() const override { return static_cast<int>(blocks_.size()); }
  Tensor embed(const Tensor& ids, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const override;
  Tensor block(int i, const Tensor& x, const BlockPass& p) const override {
    return blocks_[static_cast<size_t>(i)](x, p);
  }

 private:
  LlamaConfig structure_;
  ops::Weight embedding_;  // [vocab, model]
  std::vector<LlamaBlock> blocks_;
};

// See make_model() and new_config().
std::unique_ptr<Model> make_llama(const Json& config, const std::string& file, std::optional<uint64_t> seed);
Json new_llama(const NewModel& wanted);

}  // namespace heed::models
