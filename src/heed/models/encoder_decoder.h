// The encoder-decoder of "Attention Is All You Need" (Vaswani et al. 2017), figure 1, under the checkpoint names that
// several families share: both stacks, and with the product with the vocabulary behind them the model of sequences to
// sequences. What varies (place of the norms, positions, activation, sharing of embeddings) is chosen at construction.
//
// Sentences are packed: every layer works on [tokens, model] without padding. Concurrent calls of const members are
// safe.
#pragma once

#include "heed/io/config_reader.h"
#include "heed/models/interface.h"
#include "heed/nn/attention.h"

namespace heed::models {

enum class Positions : uint8_t { kSinusoidsInHalves, kSinusoidsInterleaved, kLearned };

struct EncoderDecoderConfig {
  int64_t d_model = 512;
  int encoder_layers = 6, decoder_layers = 6;
  int encoder_heads = 8, decoder_heads = 8;
  int64_t encoder_ffn = 2048, decoder_ffn = 2048;
  int64_t vocab_size = 0, decoder_vocab_size = 0;
  int64_t max_positions = 512;
  Activation activation = Activation::kRelu;
  float dropout = 0.1f, attention_dropout = 0, activation_dropout = 0;
  bool scale_embedding = true;   // times d_model^1/2 (section 3.4)
  bool share_embeddings = true;  // one matrix for source and target
  bool tie_output = true;        // the target's matrix is the output projection too
  bool pre_norm = false;
  Positions positions = Positions::kSinusoidsInHalves;
  int64_t position_offset = 0;  // rows of learned positions before the first that is used
  bool norm_embedding = false;  // a norm between the embedding and the first layer
  float init_std = 0;           // of new weights; 0: Glorot's, embeddings d_model^-1/2
  int32_t pad_id = 0, eos_id = 0, decoder_start_id = 0;
};

// What the families' configurations say under the same keys: sizes, activation and rates of dropout. Throws ConfigError
// for what is not supported, too.
EncoderDecoderConfig read_stacks(const io::ConfigReader& config);

// x = norm(x + SelfAttention(x));  x = norm(x + FFN(x))
struct EncoderLayer {
  nn::SelfAttention self_attention;
  nn::Residual self_residual;
  nn::FeedForward ffn;
  nn::Residual ffn_residual;
  EncoderLayer(nn::Builder& b, const std::string& name, const EncoderDecoderConfig& c);
};

// The same with attention to the encoder's output between the two.
struct DecoderLayer {
  nn::SelfAttention self_attention;
  nn::Residual self_residual;
  nn::CrossAttention cross_attention;
  nn::Residual cross_residual;
  nn::FeedForward ffn;
  nn::Residual ffn_residual;
  DecoderLayer(nn::Builder& b, const std::string& name, const EncoderDecoderConfig& c);
};

class Seq2SeqState;

// Embeddings, encoder and decoder. `prefix`: of the names ("model.").
class EncoderDecoderStacks {
 public:
  EncoderDecoderStacks(nn::Builder& b, const std::string& prefix, const EncoderDecoderConfig& c);

  const EncoderDecoderConfig& structure() const { return structure_; }
  const ops::Weight& target_words() const { return target_.table; }  // [decoder vocab, model]

  // The encoder: [source tokens, model]. `visible`: of each row, as in TextBatch.
  Tensor encode(const Ragged& source, const ops::TokenRowsPtr& rows, const std::vector<int32_t>& visible,
                const nn::Pass& pass) const;
  // The decoder over targets shifted right: [target tokens, model]. `visible`: of each row of the source.
  Tensor decode(const Ragged& target, const ops::TokenRowsPtr& rows, const Tensor& encoded,
                const ops::TokenRowsPtr& source_rows, const std::vector<int32_t>& visible, const nn::Pass& pass) const;
  // Per decoder layer the keys and values of what was encoded.
  std::vector<Tensor> cross_keys_values(const Tensor& encoded) const;
  // The decoder for one token of each hypothesis: [rows, model].
  Tensor step(Seq2SeqState& state, const Tensor& tokens, const ops::TokenRowsPtr& at) const;

 private:
  struct Embedding {
    ops::Weight table;  // [vocab, model]
    Tensor positions;   // [max_positions, model]
    nn::Norm norm;      // where there is one
    uint32_t site = 0;
  };

  void make_embeddings(nn::Builder& b, const std::string& prefix);
  Tensor embed(const Tensor& ids, const Embedding& e, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const;

  EncoderDecoderConfig structure_;
  Embedding source_, target_;
  std::vector<EncoderLayer> encoder_;
  std::vector<DecoderLayer> decoder_;
  nn::Norm encoder_norm_, decoder_norm_;  // after the stacks, where norms come before sublayers
};

// How names in folders may differ from the stacks'.
WeightRules weight_rules_of(const EncoderDecoderConfig& structure, const std::string& prefix);

class EncoderDecoder : public Seq2SeqModel {
 public:
  // New parameters drawn from `seed`, or, without one, left to be loaded.
  EncoderDecoder(const EncoderDecoderConfig& structure, std::optional<uint64_t> seed, Json config);

  const EncoderDecoderConfig& structure() const { return stacks_->structure(); }
  nn::ParameterStore& parameters() override { return store_; }
  const nn::ParameterStore& parameters() const override { return store_; }
  WeightRules weight_rules() const override;
  int vocab_size() const override { return static_cast<int>(structure().decoder_vocab_size); }
  int max_length() const override { return static_cast<int>(structure().max_positions); }
  int eos_id() const override { return structure().eos_id; }
  int pad_id() const override { return structure().pad_id; }

  ops::CrossEntropyResult loss(const Seq2SeqBatch& batch, const LossOptions& options) const override;
  Tensor logits(const Seq2SeqBatch& batch, const nn::Pass& pass) const override;
  std::unique_ptr<DecodingState> start(const Ragged& sources) const override;
  std::vector<int32_t> first_tokens(const Ragged& sources) const override;

  // The encoder stack: [source tokens, model].
  Tensor encode(const Ragged& source, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const {
    return stacks_->encode(source, rows, {}, pass);
  }

 private:
  Tensor decode_batch(const Seq2SeqBatch& batch, const nn::Pass& pass) const;

  nn::ParameterStore store_;
  std::optional<EncoderDecoderStacks> stacks_;
  ops::Weight output_;  // [vocab, model]
  Tensor output_bias_;  // [1, vocab], a constant that folders hold
};

}  // namespace heed::models
