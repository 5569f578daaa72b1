// The encoder of "Attention Is All You Need" (Vaswani et al. 2017, section 3.1) as BERT and its kin use it (Devlin et
// al. 2019): embeddings of tokens, positions and token types with a norm behind them, then layers with norms after
// their sublayers. What families differ in (names, positions, rates) is handed in.
//
// Rows are packed: every layer works on [tokens, model] without padding. const calls are thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "heed/models/text_body.h"
#include "heed/nn/attention.h"

namespace heed::models {

// Which row of the position table a token takes.
struct PositionScheme {
  int32_t first = 0;  // of a row's first token
  // A token of this id takes the table's row of the same number, which is not trained, and does not count.
  std::optional<int32_t> padding{};
};

struct TextEncoderConfig {
  int64_t model = 768, ffn = 3072;
  int layers = 12, heads = 12;
  int64_t vocab = 0, positions = 512;
  int64_t types = 0;  // token types; 0: the family has none
  PositionScheme scheme{};
  Activation activation = Activation::kGelu;
  float dropout = 0.1f;            // behind embeddings and feed-forward
  float attention_dropout = 0.1f;  // on the probabilities
  float residual_dropout = 0.1f;   // behind attention
  float epsilon = 1e-12f;
  double deviation = 0.02;           // of new parameters
  bool sinusoidal = false;           // new position tables begin as sinusoids
  std::optional<int32_t> padding{};  // the token whose embedding is not trained
};

// Checkpoint names, all behind a common prefix; those of a layer behind "layers" and its number.
struct TextEncoderNames {
  std::string words = "embeddings.word_embeddings", positions = "embeddings.position_embeddings",
              types = "embeddings.token_type_embeddings", norm = "embeddings.LayerNorm";
  std::string layers = "encoder.layer.";
  nn::AttentionNames attention{"attention.self.query", "attention.self.key", "attention.self.value",
                               "attention.output.dense"};
  std::string attention_norm = "attention.output.LayerNorm";
  std::string fc1 = "intermediate.dense", fc2 = "output.dense", ffn_norm = "output.LayerNorm";
};

// x = norm(x + SelfAttention(x));  x = norm(x + FFN(x))
struct TextEncoderLayer {
  nn::SelfAttention attention;
  nn::Residual attention_residual;
  nn::FeedForward ffn;
  nn::Residual ffn_residual;
  TextEncoderLayer(nn::Builder& b, const std::string& prefix, const TextEncoderNames& names,
                   const TextEncoderConfig& c);
};

class TextEncoder final : public TextBody {
 public:
  TextEncoder(nn::Builder& b, const std::string& prefix, const TextEncoderNames& names, const TextEncoderConfig& c);

  const ops::Weight& words() const override { return words_; }
  int max_length() const override { return static_cast<int>(config_.positions) - config_.scheme.first; }
  // Throws DataError if the batch has token types that the model has not.
  Tensor operator()(const TextBatch& batch, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const override;
  // The first token of each row.
  std::vector<int32_t> whole(const TextBatch& batch) const override;

 private:
  Tensor embed(const TextBatch& batch, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const;

  TextEncoderConfig config_;
  ops::Weight words_;         // [vocab, model]
  Tensor positions_, types_;  // [positions, model], [types, model]
  nn::Norm norm_;
  uint32_t site_ = 0;
  std::vector<TextEncoderLayer> layers_;
};

}  // namespace heed::models
