#include "heed/models/encoder_decoder.h"

#include <algorithm>
#include <cmath>

#include "heed/models/decoding_state.h"
#include "heed/nn/initialization.h"
#include "heed/nn/positions.h"
#include "heed/tensor/backends.h"

namespace heed::models {
namespace {

Tensor ids_tensor(const std::vector<int32_t>& ids) { return Tensor::from(ids, {static_cast<int64_t>(ids.size())}); }

// Each row one to the right, `start` in front, its last token gone.
std::vector<int32_t> shift_right(const Ragged& target, int32_t start) {
  std::vector<int32_t> ids(target.ids.size());
  for (int i = 0; i < target.rows(); ++i) {
    const auto row = target.row(i);
    if (row.empty()) continue;
    auto to = ids.begin() + target.offsets[static_cast<size_t>(i)];
    *to = start;
    std::copy(row.begin(), row.end() - 1, to + 1);
  }
  return ids;
}

std::vector<Tensor>* next_layer(std::vector<std::vector<Tensor>> nn::Trace::*list, const nn::Pass& pass) {
  if (!pass.trace) return nullptr;
  return &(pass.trace->*list).emplace_back();
}

void note(std::vector<Tensor> nn::Trace::*list, const nn::Pass& pass, const Tensor& x) {
  if (pass.trace) (pass.trace->*list).push_back(x);
}

Tensor make_positions(nn::Builder& b, const std::string& name, const EncoderDecoderConfig& c) {
  switch (c.positions) {
    case Positions::kSinusoidsInHalves: return nn::sinusoids_in_halves(c.max_positions, c.d_model);
    case Positions::kSinusoidsInterleaved: return nn::sinusoids_interleaved(c.max_positions, c.d_model);
    case Positions::kLearned: break;
  }
  Tensor table = b.store.create({name + "embed_positions.weight"}, {c.max_positions, c.d_model});
  nn::normal(table, 0.02, b);
  return table;
}

Tensor make_embedding(nn::Builder& b, const std::string& name, int64_t vocab, const EncoderDecoderConfig& c) {
  Tensor table = b.store.create({name + ".weight"}, {vocab, c.d_model});
  nn::normal(table, 1 / std::sqrt(static_cast<double>(c.d_model)), b);
  return table;
}

nn::AttentionNames projections(const std::string& name) {
  return {name + ".q_proj", name + ".k_proj", name + ".v_proj", name + ".out_proj"};
}

}  // namespace

EncoderLayer::EncoderLayer(nn::Builder& b, const std::string& name, const EncoderDecoderConfig& c)
    : self_attention(b, projections(name + "self_attn"), {c.d_model, c.encoder_heads, c.attention_dropout}, false),
      self_residual(b, name + "self_attn_layer_norm", c.d_model, c.pre_norm, c.dropout),
      ffn(b, {name + "fc1", name + "fc2"}, c.d_model, c.encoder_ffn, c.activation, c.activation_dropout),
      ffn_residual(b, name + "final_layer_norm", c.d_model, c.pre_norm, c.dropout) {}

DecoderLayer::DecoderLayer(nn::Builder& b, const std::string& name, const EncoderDecoderConfig& c)
    : self_attention(b, projections(name + "self_attn"), {c.d_model, c.decoder_heads, c.attention_dropout}, true),
      self_residual(b, name + "self_attn_layer_norm", c.d_model, c.pre_norm, c.dropout),
      cross_attention(b, projections(name + "encoder_attn"), {c.d_model, c.decoder_heads, c.attention_dropout}),
      cross_residual(b, name + "encoder_attn_layer_norm", c.d_model, c.pre_norm, c.dropout),
      ffn(b, {name + "fc1", name + "fc2"}, c.d_model, c.decoder_ffn, c.activation, c.activation_dropout),
      ffn_residual(b, name + "final_layer_norm", c.d_model, c.pre_norm, c.dropout) {}

EncoderDecoder::EncoderDecoder(const EncoderDecoderConfig& c, std::optional<uint64_t> seed, Json config)
    : Seq2SeqModel(std::move(config)), structure_(c) {
  nn::Builder b(store_, seed);
  if (c.share_embeddings) {
    check<ConfigError>(c.vocab_size == c.decoder_vocab_size,
                       "shared embeddings need one vocabulary, not {} and {} tokens", c.vocab_size,
                       c.decoder_vocab_size);
    source_embedding_ = target_embedding_ = make_embedding(b, "model.shared", c.vocab_size, c);
  } else {
    source_embedding_ = make_embedding(b, "model.encoder.embed_tokens", c.vocab_size, c);
    target_embedding_ = make_embedding(b, "model.decoder.embed_tokens", c.decoder_vocab_size, c);
  }
  output_ = ops::Weight(c.tie_output ? target_embedding_ : make_embedding(b, "lm_head", c.decoder_vocab_size, c));
  output_bias_ = store_.create_constant("final_logits_bias", {1, c.decoder_vocab_size});
  source_positions_ = make_positions(b, "model.encoder.", c);
  target_positions_ = make_positions(b, "model.decoder.", c);
  source_site_ = b.take_sites(1);
  target_site_ = b.take_sites(1);
  for (int i = 0; i < c.encoder_layers; ++i) encoder_.emplace_back(b, fmt::format("model.encoder.layers.{}.", i), c);
  for (int i = 0; i < c.decoder_layers; ++i) decoder_.emplace_back(b, fmt::format("model.decoder.layers.{}.", i), c);
  if (c.pre_norm) {
    encoder_norm_ = nn::Norm(b, "model.encoder.layer_norm", c.d_model);
    decoder_norm_ = nn::Norm(b, "model.decoder.layer_norm", c.d_model);
  }
  store_.flatten();
}

Tensor EncoderDecoder::embed(const std::vector<int32_t>& ids, const Tensor& table, const Tensor& positions,
                             uint32_t site, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const {
  const float scale = structure_.scale_embedding ? std::sqrt(static_cast<float>(structure_.d_model)) : 1.0f;
  return ops::embedding(ids_tensor(ids), table, scale, rows, positions, pass.dropout(structure_.dropout, site, rows),
                        structure_.pad_id);
}

Tensor EncoderDecoder::encode(const Ragged& source, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const {
  const ops::SegmentsPtr self = ops::segments(*rows, *rows);
  Tensor x = embed(source.ids, source_embedding_, source_positions_, source_site_, rows, pass);  // [tokens, model]
  note(&nn::Trace::encoder_states, pass, x);
  for (const EncoderLayer& layer : encoder_) {
    std::vector<Tensor>* attentions = next_layer(&nn::Trace::encoder_attentions, pass);
    x = layer.self_residual(x, pass, rows,
                            [&](const Tensor& h) { return layer.self_attention(h, pass, self, attentions); });
    x = layer.ffn_residual(x, pass, rows, [&](const Tensor& h) { return layer.ffn(h, pass, rows); });
    note(&nn::Trace::encoder_states, pass, x);
  }
  return structure_.pre_norm ? ops::add_norm(x, {}, {}, encoder_norm_).y : x;
}

Tensor EncoderDecoder::decode(const Ragged& target, const ops::TokenRowsPtr& rows, const Tensor& encoded,
                              const ops::TokenRowsPtr& source_rows, const nn::Pass& pass) const {
  const ops::SegmentsPtr self = ops::segments(*rows, *rows), cross = ops::segments(*rows, *source_rows);
  const std::vector<int32_t> input = shift_right(target, structure_.decoder_start_id);
  Tensor x = embed(input, target_embedding_, target_positions_, target_site_, rows, pass);  // [tokens, model]
  note(&nn::Trace::decoder_states, pass, x);
  for (const DecoderLayer& layer : decoder_) {
    std::vector<Tensor>* self_attentions = next_layer(&nn::Trace::decoder_attentions, pass);
    std::vector<Tensor>* cross_attentions = next_layer(&nn::Trace::cross_attentions, pass);
    x = layer.self_residual(x, pass, rows,
                            [&](const Tensor& h) { return layer.self_attention(h, pass, self, self_attentions); });
    x = layer.cross_residual(x, pass, rows, [&](const Tensor& h) {
      return layer.cross_attention(h, encoded, pass, cross, cross_attentions);
    });
    x = layer.ffn_residual(x, pass, rows, [&](const Tensor& h) { return layer.ffn(h, pass, rows); });
    note(&nn::Trace::decoder_states, pass, x);
  }
  return structure_.pre_norm ? ops::add_norm(x, {}, {}, decoder_norm_).y : x;
}

Tensor EncoderDecoder::decode_batch(const Seq2SeqBatch& batch, const nn::Pass& pass) const {
  const ops::TokenRowsPtr source_rows = ops::token_rows(batch.source, batch.examples);
  const ops::TokenRowsPtr target_rows = ops::token_rows(batch.target, batch.examples);
  const Tensor encoded = encode(batch.source, source_rows, pass);
  return decode(batch.target, target_rows, encoded, source_rows, pass);
}

ops::CrossEntropyResult EncoderDecoder::loss(const Seq2SeqBatch& batch, const LossOptions& options) const {
  const Tensor x = decode_batch(batch, options.pass);
  return ops::linear_cross_entropy(x, output_, output_bias_, ids_tensor(batch.target.ids), options.label_smoothing,
                                   options.divisor);
}

Tensor EncoderDecoder::logits(const Seq2SeqBatch& batch, const nn::Pass& pass) const {
  return ops::linear(decode_batch(batch, pass), output_, output_bias_);
}

std::unique_ptr<DecodingState> EncoderDecoder::start(const Ragged& sources) const {
  return std::make_unique<EncoderDecoderState>(*this, sources);
}

std::vector<int32_t> EncoderDecoder::first_tokens(const Ragged& sources) const {
  return std::vector<int32_t>(static_cast<size_t>(sources.rows()), structure_.decoder_start_id);
}

}  // namespace heed::models
