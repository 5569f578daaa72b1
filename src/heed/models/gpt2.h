// GPT-2 (Radford et al. 2019) as transformers' GPT2LMHeadModel stores it: learned positions, norms before the
// sublayers, one product for queries, keys and values, weights stored [in, out].
#pragma once

#include "heed/models/decoder_only.h"
#include "heed/models/new_model.h"

namespace heed::models {

struct Gpt2Config {
  int64_t d_model = 768;
  int num_layers = 12, num_heads = 12;
  int64_t ffn = 3072;
  int64_t vocab_size = 50257;
  int64_t max_positions = 1024;
  Activation activation = Activation::kGeluTanh;
  float norm_epsilon = 1e-5f;
  float embedding_dropout = 0.1f, attention_dropout = 0.1f, dropout = 0.1f;
  bool scale_attention = true;            // scores times head_dim^-1/2
  bool scale_attention_by_layer = false;  // and divided by the layer's number, from 1
  bool tie_output = true;                 // the embedding is the output projection too
  double initializer_range = 0.02;
};

// x = x + SelfAttention(norm(x));  x = x + FFN(norm(x))
struct Gpt2Block {
  nn::SelfAttention attention;
  nn::Residual attention_residual;
  nn::FeedForward ffn;
  nn::Residual ffn_residual;
  Gpt2Block(nn::Builder& b, int layer, const Gpt2Config& c);
  Tensor operator()(const Tensor& x, const BlockPass& p) const;
};

class Gpt2Model final : public DecoderOnly {
 public:
  // New parameters drawn from `seed`, or, without one, left to be loaded.
  Gpt2Model(const Gpt2Config& structure, Json config, std::optional<uint64_t> seed);

  WeightRules weight_rules() const override;

 protected:
  int layers() const override { return static_cast<int>(blocks_.size()); }
  Tensor embed(const Tensor& ids, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const override;
  Tensor block(int i, const Tensor& x, const BlockPass& p) const override {
    return blocks_[static_cast<size_t>(i)](x, p);
  }

 private:
  Gpt2Config structure_;
  ops::Weight embedding_;  // [vocab, model]
  Tensor positions_;       // [max_positions, model]
  uint32_t embedding_site_ = 0;
  std::vector<Gpt2Block> blocks_;
};

// See make_model() and new_config().
std::unique_ptr<Model> make_gpt2(const Json& config, const std::string& file, std::optional<uint64_t> seed);
Json new_gpt2(const NewModel& wanted);

}  // namespace heed::models
