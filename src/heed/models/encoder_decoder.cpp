#include "heed/models/encoder_decoder.h"

#include <algorithm>
#include <cmath>

#include "heed/models/config_values.h"
#include "heed/models/decoding_state.h"
#include "heed/models/text_body.h"
#include "heed/models/trace.h"
#include "heed/nn/initialization.h"
#include "heed/nn/positions.h"
#include "heed/tensor/backends.h"

namespace heed::models {
namespace {

constexpr const char* kPrefix = "model.";  // of the stacks, where something stands on them

Tensor ids_tensor(const std::vector<int32_t>& ids) { return Tensor::from(ids, {static_cast<int64_t>(ids.size())}); }

Tensor make_positions(nn::Builder& b, const std::string& name, const EncoderDecoderConfig& c) {
  if (c.positions != Positions::kLearned) {
    const bool in_halves = c.positions == Positions::kSinusoidsInHalves;
    Tensor table = in_halves ? nn::sinusoids_in_halves(c.max_positions, c.d_model)
                             : nn::sinusoids_interleaved(c.max_positions, c.d_model);
    b.store.keep(table);
    return table;
  }
  Tensor table = b.store.create({name + "embed_positions.weight"}, {c.position_offset + c.max_positions, c.d_model});
  nn::normal(table, c.init_std > 0 ? c.init_std : 0.02, b);
  return table.slice_rows(c.position_offset, c.max_positions);
}

ops::Weight make_table(nn::Builder& b, const std::string& name, int64_t vocab, const EncoderDecoderConfig& c) {
  Tensor table = b.store.create({name + ".weight"}, {vocab, c.d_model});
  nn::normal(table, c.init_std > 0 ? c.init_std : 1 / std::sqrt(static_cast<double>(c.d_model)), b);
  return ops::Weight(table);
}

nn::AttentionNames projections(const std::string& name) {
  return {name + ".q_proj", name + ".k_proj", name + ".v_proj", name + ".out_proj"};
}

}  // namespace

EncoderDecoderConfig read_stacks(const io::ConfigReader& r) {
  EncoderDecoderConfig c;
  c.d_model = r.get_or<int>("d_model", 1024, 1, io::kMaxHidden);
  c.encoder_layers = r.get_or<int>("encoder_layers", 12, 1, io::kMaxLayers);
  c.decoder_layers = r.get_or<int>("decoder_layers", 12, 1, io::kMaxLayers);
  c.encoder_heads = r.get_or<int>("encoder_attention_heads", 16, 1, io::kMaxHeads);
  c.decoder_heads = r.get_or<int>("decoder_attention_heads", 16, 1, io::kMaxHeads);
  c.encoder_ffn = r.get_or<int>("encoder_ffn_dim", 4096, 1, io::kMaxHidden);
  c.decoder_ffn = r.get_or<int>("decoder_ffn_dim", 4096, 1, io::kMaxHidden);
  c.max_positions = r.get_or<int>("max_position_embeddings", 1024, 1, 1 << 20);
  c.activation = read_activation(r, "activation_function", Activation::kGelu);
  c.dropout = read_rate(r, "dropout", 0.1f);
  c.attention_dropout = read_rate(r, "attention_dropout", 0);
  c.activation_dropout = read_rate(r, "activation_dropout", 0);
  c.scale_embedding = r.get_or("scale_embedding", false);
  r.allow_only("encoder_layerdrop", 0.0);
  r.allow_only("decoder_layerdrop", 0.0);
  return c;
}

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

EncoderDecoderStacks::EncoderDecoderStacks(nn::Builder& b, const std::string& prefix, const EncoderDecoderConfig& c)
    : structure_(c) {
  b.deviation = c.init_std;
  make_embeddings(b, prefix);
  for (int i = 0; i < c.encoder_layers; ++i)
    encoder_.emplace_back(b, fmt::format("{}encoder.layers.{}.", prefix, i), c);
  for (int i = 0; i < c.decoder_layers; ++i)
    decoder_.emplace_back(b, fmt::format("{}decoder.layers.{}.", prefix, i), c);
  if (!c.pre_norm) return;
  encoder_norm_ = nn::Norm(b, prefix + "encoder.layer_norm", c.d_model);
  decoder_norm_ = nn::Norm(b, prefix + "decoder.layer_norm", c.d_model);
}

void EncoderDecoderStacks::make_embeddings(nn::Builder& b, const std::string& prefix) {
  const EncoderDecoderConfig& c = structure_;
  if (c.share_embeddings) {
    check<ConfigError>(c.vocab_size == c.decoder_vocab_size,
                       "shared embeddings need one vocabulary, not {} and {} tokens", c.vocab_size,
                       c.decoder_vocab_size);
    source_.table = target_.table = make_table(b, prefix + "shared", c.vocab_size, c);
  } else {
    source_.table = make_table(b, prefix + "encoder.embed_tokens", c.vocab_size, c);
    target_.table = make_table(b, prefix + "decoder.embed_tokens", c.decoder_vocab_size, c);
  }
  if (c.init_std > 0)
    for (const Embedding& e : {source_, target_}) nn::constant(e.table.master().slice_rows(c.pad_id, 1), 0, b);
  source_.positions = make_positions(b, prefix + "encoder.", c);
  target_.positions = make_positions(b, prefix + "decoder.", c);
  source_.site = b.take_sites(1);
  target_.site = b.take_sites(1);
  if (!c.norm_embedding) return;
  source_.norm = nn::Norm(b, prefix + "encoder.layernorm_embedding", c.d_model);
  target_.norm = nn::Norm(b, prefix + "decoder.layernorm_embedding", c.d_model);
}

Tensor EncoderDecoderStacks::embed(const Tensor& ids, const Embedding& e, const ops::TokenRowsPtr& rows,
                                   const nn::Pass& pass) const {
  const float scale = structure_.scale_embedding ? std::sqrt(static_cast<float>(structure_.d_model)) : 1.0f;
  const ops::DropoutSite drop = pass.dropout(structure_.dropout, e.site, rows);
  const bool norm = structure_.norm_embedding;
  const Tensor x =
      ops::embedding(ids, e.table, scale, rows, e.positions, norm ? ops::DropoutSite{} : drop, structure_.pad_id);
  return norm ? ops::dropout(e.norm(x), drop) : x;  // [tokens, model]
}

Tensor EncoderDecoderStacks::encode(const Ragged& source, const ops::TokenRowsPtr& rows,
                                    const std::vector<int32_t>& visible, const nn::Pass& pass) const {
  const ops::SegmentsPtr self = with_visible_keys(ops::segments(*rows, *rows), visible);
  Tensor x = embed(ids_tensor(source.ids), source_, rows, pass);  // [tokens, model]
  note(&nn::Trace::encoder_states, pass, x);
  for (const EncoderLayer& layer : encoder_) {
    std::vector<Tensor>* attentions = next_layer(&nn::Trace::encoder_attentions, pass);
    x = nn::layer(pass, {x}, [&layer, pass, rows, self, attentions](const std::vector<Tensor>& in) {
      const Tensor a = layer.self_residual(
          in[0], pass, rows, [&](const Tensor& h) { return layer.self_attention(h, pass, self, attentions); });
      return layer.ffn_residual(a, pass, rows, [&](const Tensor& h) { return layer.ffn(h, pass, rows); });
    });
    note(&nn::Trace::encoder_states, pass, x);
  }
  return structure_.pre_norm ? encoder_norm_(x) : x;
}

Tensor EncoderDecoderStacks::decode(const Ragged& target, const ops::TokenRowsPtr& rows, const Tensor& encoded,
                                    const ops::TokenRowsPtr& source_rows, const std::vector<int32_t>& visible,
                                    const nn::Pass& pass) const {
  const ops::SegmentsPtr self = ops::segments(*rows, *rows);
  const ops::SegmentsPtr cross = with_visible_keys(ops::segments(*rows, *source_rows), visible);
  Tensor x =
      embed(ids_tensor(shift_right(target, structure_.decoder_start_id)), target_, rows, pass);  // [tokens, model]
  note(&nn::Trace::decoder_states, pass, x);
  for (const DecoderLayer& layer : decoder_) {
    std::vector<Tensor>* self_attentions = next_layer(&nn::Trace::decoder_attentions, pass);
    std::vector<Tensor>* cross_attentions = next_layer(&nn::Trace::cross_attentions, pass);
    x = nn::layer(pass, {x, encoded},
                  [&layer, pass, rows, self, cross, self_attentions, cross_attentions](const std::vector<Tensor>& in) {
                    Tensor a = layer.self_residual(in[0], pass, rows, [&](const Tensor& h) {
                      return layer.self_attention(h, pass, self, self_attentions);
                    });
                    a = layer.cross_residual(a, pass, rows, [&](const Tensor& h) {
                      return layer.cross_attention(h, in[1], pass, cross, cross_attentions);
                    });
                    return layer.ffn_residual(a, pass, rows, [&](const Tensor& h) { return layer.ffn(h, pass, rows); });
                  });
    note(&nn::Trace::decoder_states, pass, x);
  }
  return structure_.pre_norm ? decoder_norm_(x) : x;
}

std::vector<Tensor> EncoderDecoderStacks::cross_keys_values(const Tensor& encoded) const {
  std::vector<Tensor> cross;
  for (const DecoderLayer& layer : decoder_) cross.push_back(layer.cross_attention.keys_values(encoded));
  return cross;
}

Tensor EncoderDecoderStacks::step(Seq2SeqState& state, const Tensor& tokens, const ops::TokenRowsPtr& at) const {
  const nn::Pass pass;
  Tensor x = embed(tokens, target_, at, pass);  // [rows, model]
  for (size_t i = 0; i < decoder_.size(); ++i) {
    const DecoderLayer& layer = decoder_[i];
    x = layer.self_residual(x, pass, at,
                            [&](const Tensor& h) { return state.self_attention(layer.self_attention, h, i); });
    x = layer.cross_residual(x, pass, at,
                             [&](const Tensor& h) { return state.cross_attention(layer.cross_attention, h, i); });
    x = layer.ffn_residual(x, pass, at, [&](const Tensor& h) { return layer.ffn(h, pass, at); });
  }
  return structure_.pre_norm ? decoder_norm_(x) : x;
}

WeightRules weight_rules_of(const EncoderDecoderConfig& structure, const std::string& prefix) {
  WeightRules rules;
  rules.base_prefix = kPrefix;
  // Marks of fairseq's checkpoints, and tables of positions that are computed here.
  const bool computed = structure.positions != Positions::kLearned;
  rules.ignored = [computed](const std::string& name) {
    return name.ends_with("encoder.version") || name.ends_with("decoder.version") ||
           (computed && name.ends_with("embed_positions.weight"));
  };
  for (const char* copy : {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"})
    rules.tied.emplace_back(prefix + copy, prefix + "shared.weight");
  return rules;
}

EncoderDecoder::EncoderDecoder(const EncoderDecoderConfig& c, std::optional<uint64_t> seed, Json config)
    : Seq2SeqModel(std::move(config)) {
  nn::Builder b(store_, seed);
  stacks_.emplace(b, kPrefix, c);
  output_ = c.tie_output ? stacks_->target_words() : make_table(b, "lm_head", c.decoder_vocab_size, c);
  store_.add_output(output_, c.tie_output);
  output_bias_ = store_.create_constant("final_logits_bias", {1, c.decoder_vocab_size});
  store_.flatten();
}

WeightRules EncoderDecoder::weight_rules() const {
  WeightRules rules = weight_rules_of(structure(), kPrefix);
  rules.optional = [](const std::string& name) { return name == "final_logits_bias"; };
  rules.tied.emplace_back("lm_head.weight",
                          structure().share_embeddings ? "model.shared.weight" : "model.decoder.embed_tokens.weight");
  return rules;
}

Tensor EncoderDecoder::decode_batch(const Seq2SeqBatch& batch, const nn::Pass& pass) const {
  const ops::TokenRowsPtr source_rows = ops::token_rows(batch.source, batch.examples);
  const ops::TokenRowsPtr target_rows = ops::token_rows(batch.target, batch.examples);
  const Tensor encoded = stacks_->encode(batch.source, source_rows, {}, pass);
  return stacks_->decode(batch.target, target_rows, encoded, source_rows, {}, pass);
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
  const NoGrad no_grad;
  const Tensor encoded = encode(sources, ops::token_rows(sources), {});
  const auto step = [this](Seq2SeqState& state, const Tensor& tokens, const ops::TokenRowsPtr& at) {
    return ops::linear(stacks_->step(state, tokens, at), output_, output_bias_);  // [rows, vocab]
  };
  return std::make_unique<Seq2SeqState>(sources, stacks_->cross_keys_values(encoded), max_length(), step);
}

std::vector<int32_t> EncoderDecoder::first_tokens(const Ragged& sources) const {
  return std::vector<int32_t>(static_cast<size_t>(sources.rows()), structure().decoder_start_id);
}

}  // namespace heed::models
