// T5 (Raffel et al. 2020) and its version 1.1 (Shazeer 2020; Flan): an encoder-decoder with norms before the sublayers
// that only scale, no biases, unscaled scores, and positions by relative distance alone, as transformers'
// T5ForConditionalGeneration stores it.
#pragma once

#include <variant>

#include "heed/models/interface.h"
#include "heed/models/new_model.h"
#include "heed/nn/attention.h"
#include "heed/nn/relative_positions.h"

namespace heed::models {

struct T5Config {
  int64_t d_model = 512, d_kv = 64, d_ff = 2048, vocab_size = 32128;
  int encoder_layers = 6, decoder_layers = 6, heads = 8;
  int buckets = 32, max_distance = 128;  // of relative positions
  Activation activation = Activation::kRelu;
  bool gated = false;  // FFN(x) = (act(x Wi0) * x Wi1) Wo
  float dropout = 0.1f, norm_epsilon = 1e-6f;
  double initializer_factor = 1;
  bool tie_output = true;     // the embedding is the output projection too
  bool scale_outputs = true;  // what goes into it times d_model^-1/2
  int32_t pad_id = 0, eos_id = 1, decoder_start_id = 0;
};

using T5FeedForward = std::variant<nn::FeedForward, nn::GatedFeedForward>;

// x = x + SelfAttention(norm(x));  x = x + FFN(norm(x))
struct T5EncoderBlock {
  nn::SelfAttention self_attention;
  nn::Residual self_residual;
  T5FeedForward ffn;
  nn::Residual ffn_residual;
  T5EncoderBlock(nn::Builder& b, const std::string& name, const T5Config& c);
};

// The same with attention to the encoder's output between the two.
struct T5DecoderBlock {
  nn::SelfAttention self_attention;
  nn::Residual self_residual;
  nn::CrossAttention cross_attention;
  nn::Residual cross_residual;
  T5FeedForward ffn;
  nn::Residual ffn_residual;
  T5DecoderBlock(nn::Builder& b, const std::string& name, const T5Config& c);
};

class Seq2SeqState;

class T5Model final : public Seq2SeqModel {
 public:
  // New parameters drawn from `seed`, or, without one, left to be loaded.
  T5Model(const T5Config& structure, Json config, std::optional<uint64_t> seed);

  const T5Config& structure() const { return structure_; }
  nn::ParameterStore& parameters() override { return store_; }
  const nn::ParameterStore& parameters() const override { return store_; }
  WeightRules weight_rules() const override;
  int vocab_size() const override { return static_cast<int>(structure_.vocab_size); }
  int max_length() const override;  // no limit
  int eos_id() const override { return structure_.eos_id; }
  int pad_id() const override { return structure_.pad_id; }

  ops::CrossEntropyResult loss(const Seq2SeqBatch& batch, const LossOptions& options) const override;
  Tensor logits(const Seq2SeqBatch& batch, const nn::Pass& pass) const override;
  std::unique_ptr<DecodingState> start(const Ragged& sources) const override;
  std::vector<int32_t> first_tokens(const Ragged& sources) const override;

 private:
  // What both stacks have at their ends.
  struct Stack {
    nn::RelativePositions positions;
    nn::Norm final_norm;
    uint32_t embedding_site = 0, final_site = 0;
  };

  void initialize(nn::Builder& b);
  double deviation_of(const std::string& name) const;
  Tensor embed(const Tensor& ids, uint32_t site, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const;
  Tensor scaled_for_output(const Tensor& x) const;
  Tensor finish(const Tensor& x, const Stack& stack, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const;
  // The encoder stack: [source tokens, model].
  Tensor encode(const Ragged& source, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const;
  // The decoder stack over targets shifted right, ready for the output projection: [target tokens, model].
  Tensor decode(const Seq2SeqBatch& batch, const nn::Pass& pass) const;
  Tensor step(Seq2SeqState& state, const Tensor& bias, const Tensor& tokens, const ops::TokenRowsPtr& at) const;

  T5Config structure_;
  nn::ParameterStore store_;
  ops::Weight shared_;  // [vocab, model]
  Stack encoder_, decoder_;
  std::vector<T5EncoderBlock> encoder_blocks_;
  std::vector<T5DecoderBlock> decoder_blocks_;
  ops::Weight output_;  // [vocab, model]
};

// See make_model() and new_config().
std::unique_ptr<Model> make_t5(const Json& config, const std::string& file, std::optional<uint64_t> seed);
Json new_t5(const NewModel& wanted);

}  // namespace heed::models
