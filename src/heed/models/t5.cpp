#include "heed/models/t5.h"

#include <cmath>
#include <limits>

#include "heed/models/config_values.h"
#include "heed/models/decoding_state.h"
#include "heed/models/trace.h"
#include "heed/nn/initialization.h"

namespace heed::models {
namespace {

constexpr const char* kShared = "shared.weight";
constexpr const char* kHead = "lm_head.weight";

// "relu", "gated-gelu", …: the activation's name, and whether the layer is gated.
std::pair<Activation, bool> read_feed_forward(const io::ConfigReader& r, const std::string& file) {
  const std::string text = r.get_or("feed_forward_proj", "relu");
  const bool gated = text.starts_with("gated-");
  Json name{{"feed_forward_proj", gated ? text.substr(6) : text}};
  if (text == "gated-gelu") name["feed_forward_proj"] = "gelu_new";  // what version 1.1 was trained with
  const Activation activation = read_activation(io::ConfigReader(name, file), "feed_forward_proj", Activation::kRelu);
  return {read_activation(r, "dense_act_fn", activation), r.get_or("is_gated_act", gated)};
}

T5Config read_structure(const Json& json, const std::string& file) {
  const io::ConfigReader r(json, file);
  for (const std::string& name : r.strings("architectures"))
    check<ConfigError>(name == "T5ForConditionalGeneration" || name == "T5WithLMHeadModel",
                       "{}: architectures is \"{}\"; of this family Heed reads T5ForConditionalGeneration", file, name);
  T5Config c;
  c.d_model = r.get_or<int>("d_model", 512, 1, io::kMaxHidden);
  c.d_kv = r.get_or<int>("d_kv", 64, 1, io::kMaxHidden);
  c.d_ff = r.get_or<int>("d_ff", 2048, 1, io::kMaxHidden);
  c.vocab_size = r.get_or<int>("vocab_size", 32128, 1, io::kMaxVocab);
  c.encoder_layers = r.get_or<int>("num_layers", 6, 1, io::kMaxLayers);
  c.decoder_layers = r.get_or<int>("num_decoder_layers", c.encoder_layers, 1, io::kMaxLayers);
  c.heads = r.get_or<int>("num_heads", 8, 1, io::kMaxHeads);
  c.buckets = r.get_or<int>("relative_attention_num_buckets", 32, 4, 1 << 16);
  // Beyond half of the buckets distances are told apart by their logarithm: at least one must be.
  c.max_distance = r.get_or<int>("relative_attention_max_distance", 128, c.buckets / 2 + 1, 1 << 16);
  std::tie(c.activation, c.gated) = read_feed_forward(r, file);
  c.dropout = read_rate(r, "dropout_rate", 0.1f);
  c.norm_epsilon = r.get_or<float>("layer_norm_epsilon", 1e-6f, 0, 1);
  c.initializer_factor = r.get_or<double>("initializer_factor", 1.0, 0, 1e3);
  c.tie_output = r.get_or("tie_word_embeddings", true);
  c.scale_outputs = r.get_or("scale_decoder_outputs", c.tie_output);
  c.pad_id = read_token_id(r, file, "pad_token_id", 0, c.vocab_size);
  c.eos_id = read_token_id(r, file, "eos_token_id", 1, c.vocab_size);
  c.decoder_start_id = read_token_id(r, file, "decoder_start_token_id", c.pad_id, c.vocab_size);
  r.allow_only("is_encoder_decoder", true);
  r.allow_only("is_decoder", false);
  return c;
}

nn::AttentionNames projections(const std::string& name) { return {name + ".q", name + ".k", name + ".v", name + ".o"}; }

nn::AttentionConfig attention_config(const T5Config& c) {
  return {.model = c.d_model,
          .heads = c.heads,
          .dropout = c.dropout,
          .head_dim = static_cast<int>(c.d_kv),
          .scale = 1,
          .qkv_bias = false,
          .out_bias = false};
}

nn::Residual residual(nn::Builder& b, const std::string& sublayer, const T5Config& c) {
  return {b, sublayer + "layer_norm", c.d_model, true, c.dropout, c.norm_epsilon, NormKind::kRms};
}

T5FeedForward feed_forward(nn::Builder& b, const std::string& sublayer, const T5Config& c) {
  const std::string name = sublayer + "DenseReluDense.";
  if (c.gated)
    return nn::GatedFeedForward(b, {name + "wi_0", name + "wi_1", name + "wo"}, c.d_model, c.d_ff, c.activation,
                                c.dropout);
  return nn::FeedForward(b, {name + "wi", name + "wo"}, c.d_model, c.d_ff, c.activation, c.dropout, {.bias = false});
}

Tensor apply(const T5FeedForward& ffn, const Tensor& x, const nn::Pass& pass, const ops::TokenRowsPtr& rows) {
  return std::visit([&](const auto& f) { return f(x, pass, rows); }, ffn);
}

Tensor ids_tensor(const std::vector<int32_t>& ids) { return Tensor::from(ids, {static_cast<int64_t>(ids.size())}); }

}  // namespace

T5EncoderBlock::T5EncoderBlock(nn::Builder& b, const std::string& name, const T5Config& c)
    : self_attention(b, projections(name + "layer.0.SelfAttention"), attention_config(c), false),
      self_residual(residual(b, name + "layer.0.", c)),
      ffn(feed_forward(b, name + "layer.1.", c)),
      ffn_residual(residual(b, name + "layer.1.", c)) {}

T5DecoderBlock::T5DecoderBlock(nn::Builder& b, const std::string& name, const T5Config& c)
    : self_attention(b, projections(name + "layer.0.SelfAttention"), attention_config(c), true),
      self_residual(residual(b, name + "layer.0.", c)),
      cross_attention(b, projections(name + "layer.1.EncDecAttention"), attention_config(c)),
      cross_residual(residual(b, name + "layer.1.", c)),
      ffn(feed_forward(b, name + "layer.2.", c)),
      ffn_residual(residual(b, name + "layer.2.", c)) {}

T5Model::T5Model(const T5Config& c, Json config, std::optional<uint64_t> seed)
    : Seq2SeqModel(std::move(config)), structure_(c) {
  nn::Builder b(store_, seed);
  shared_ = ops::Weight(store_.create({kShared}, {c.vocab_size, c.d_model}));
  output_ = c.tie_output ? shared_ : ops::Weight(store_.create({kHead}, {c.vocab_size, c.d_model}));
  store_.add_output(output_, c.tie_output);
  const auto make_stack = [&](const std::string& name, bool bidirectional) {
    return Stack{nn::RelativePositions(b, name + "block.0.layer.0.SelfAttention.relative_attention_bias",
                                       {c.heads, c.buckets, c.max_distance, bidirectional}),
                 nn::Norm(b, name + "final_layer_norm", c.d_model, c.norm_epsilon, NormKind::kRms), b.take_sites(1),
                 b.take_sites(1)};
  };
  encoder_ = make_stack("encoder.", true);
  decoder_ = make_stack("decoder.", false);
  for (int i = 0; i < c.encoder_layers; ++i) encoder_blocks_.emplace_back(b, fmt::format("encoder.block.{}.", i), c);
  for (int i = 0; i < c.decoder_layers; ++i) decoder_blocks_.emplace_back(b, fmt::format("decoder.block.{}.", i), c);
  initialize(b);
  store_.flatten();
}

// The standard deviations of transformers' T5PreTrainedModel: those of Mesh TensorFlow. But an output of its own begins
// with T5X's 1 / sqrt(d_model): with transformers' 1 the loss of a new model of width 64 begins at 30.
double T5Model::deviation_of(const std::string& name) const {
  const auto inverse_root = [](int64_t n) { return 1 / std::sqrt(static_cast<double>(n)); };
  const T5Config& c = structure_;
  if (name == kShared) return 1;
  if (name.ends_with(".q.weight")) return inverse_root(c.d_model * c.d_kv);
  if (name.ends_with(".o.weight")) return inverse_root(c.heads * c.d_kv);
  if (name.ends_with(".wo.weight")) return inverse_root(c.d_ff);
  return inverse_root(c.d_model);
}

void T5Model::initialize(nn::Builder& b) {
  for (const auto& [name, tensor] : store_.named()) {
    if (name.ends_with("layer_norm.weight")) nn::constant(tensor, structure_.initializer_factor, b);
    else nn::normal(tensor, structure_.initializer_factor * deviation_of(name), b);
  }
}

WeightRules T5Model::weight_rules() const {
  WeightRules rules;
  // A table that early folders hold for nothing.
  rules.ignored = [](const std::string& name) {
    return name == "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";
  };
  for (const char* copy : {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", kHead})
    rules.tied.emplace_back(copy, kShared);
  return rules;
}

int T5Model::max_length() const { return std::numeric_limits<int>::max(); }

Tensor T5Model::embed(const Tensor& ids, uint32_t site, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const {
  return ops::embedding(ids, shared_, 1, rows, {}, pass.dropout(structure_.dropout, site, rows));
}

Tensor T5Model::finish(const Tensor& x, const Stack& stack, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const {
  return ops::dropout(stack.final_norm(x), pass.dropout(structure_.dropout, stack.final_site, rows));
}

Tensor T5Model::encode(const Ragged& source, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const {
  const ops::SegmentsPtr self = ops::segments(*rows, *rows);
  const Tensor bias = encoder_.positions();                                       // [distances, heads]
  Tensor x = embed(ids_tensor(source.ids), encoder_.embedding_site, rows, pass);  // [tokens, model]
  for (const T5EncoderBlock& block : encoder_blocks_) {
    note(&nn::Trace::encoder_states, pass, x);
    std::vector<Tensor>* attentions = next_layer(&nn::Trace::encoder_attentions, pass);
    x = nn::layer(pass, {x, bias}, [&block, pass, rows, self, attentions](const std::vector<Tensor>& in) {
      const Tensor a = block.self_residual(
          in[0], pass, rows, [&](const Tensor& h) { return block.self_attention(h, pass, self, attentions, in[1]); });
      return block.ffn_residual(a, pass, rows, [&](const Tensor& h) { return apply(block.ffn, h, pass, rows); });
    });
  }
  x = finish(x, encoder_, rows, pass);
  note(&nn::Trace::encoder_states, pass, x);
  return x;
}

Tensor T5Model::decode(const Seq2SeqBatch& batch, const nn::Pass& pass) const {
  const ops::TokenRowsPtr source_rows = ops::token_rows(batch.source, batch.examples);
  const ops::TokenRowsPtr rows = ops::token_rows(batch.target, batch.examples);
  const Tensor encoded = encode(batch.source, source_rows, pass);
  const ops::SegmentsPtr self = ops::segments(*rows, *rows), cross = ops::segments(*rows, *source_rows);
  const Tensor bias = decoder_.positions();
  const Tensor input = ids_tensor(shift_right(batch.target, structure_.decoder_start_id));
  Tensor x = embed(input, decoder_.embedding_site, rows, pass);  // [tokens, model]
  for (const T5DecoderBlock& block : decoder_blocks_) {
    note(&nn::Trace::decoder_states, pass, x);
    std::vector<Tensor>* self_attentions = next_layer(&nn::Trace::decoder_attentions, pass);
    std::vector<Tensor>* cross_attentions = next_layer(&nn::Trace::cross_attentions, pass);
    x = nn::layer(pass, {x, encoded, bias},
                  [&block, pass, rows, self, cross, self_attentions, cross_attentions](const std::vector<Tensor>& in) {
                    Tensor a = block.self_residual(in[0], pass, rows, [&](const Tensor& h) {
                      return block.self_attention(h, pass, self, self_attentions, in[2]);
                    });
                    a = block.cross_residual(a, pass, rows, [&](const Tensor& h) {
                      return block.cross_attention(h, in[1], pass, cross, cross_attentions);
                    });
                    return block.ffn_residual(a, pass, rows,
                                              [&](const Tensor& h) { return apply(block.ffn, h, pass, rows); });
                  });
  }
  x = finish(x, decoder_, rows, pass);
  note(&nn::Trace::decoder_states, pass, x);
  return scaled_for_output(x);
}

Tensor T5Model::scaled_for_output(const Tensor& x) const {
  if (!structure_.scale_outputs) return x;
  return ops::scale(x, 1 / std::sqrt(static_cast<float>(structure_.d_model)));
}

ops::CrossEntropyResult T5Model::loss(const Seq2SeqBatch& batch, const LossOptions& options) const {
  return ops::linear_cross_entropy(decode(batch, options.pass), output_, {}, ids_tensor(batch.target.ids),
                                   options.label_smoothing, options.divisor);
}

Tensor T5Model::logits(const Seq2SeqBatch& batch, const nn::Pass& pass) const {
  return ops::linear(decode(batch, pass), output_);
}

std::unique_ptr<DecodingState> T5Model::start(const Ragged& sources) const {
  const NoGrad no_grad;
  const Tensor encoded = encode(sources, ops::token_rows(sources), {}), bias = decoder_.positions();
  std::vector<Tensor> cross;
  for (const T5DecoderBlock& block : decoder_blocks_) cross.push_back(block.cross_attention.keys_values(encoded));
  return std::make_unique<Seq2SeqState>(
      sources, std::move(cross), max_length(),
      [this, bias](Seq2SeqState& state, const Tensor& tokens, const ops::TokenRowsPtr& at) {
        return step(state, bias, tokens, at);
      });
}

Tensor T5Model::step(Seq2SeqState& state, const Tensor& bias, const Tensor& tokens, const ops::TokenRowsPtr& at) const {
  const nn::Pass pass;
  Tensor x = embed(tokens, decoder_.embedding_site, at, pass);  // [rows, model]
  for (size_t i = 0; i < decoder_blocks_.size(); ++i) {
    const T5DecoderBlock& block = decoder_blocks_[i];
    x = block.self_residual(x, pass, at,
                            [&](const Tensor& h) { return state.self_attention(block.self_attention, h, i, bias); });
    x = block.cross_residual(x, pass, at,
                             [&](const Tensor& h) { return state.cross_attention(block.cross_attention, h, i); });
    x = block.ffn_residual(x, pass, at, [&](const Tensor& h) { return apply(block.ffn, h, pass, at); });
  }
  return ops::linear(scaled_for_output(finish(x, decoder_, at, pass)), output_);  // [rows, vocab]
}

std::vector<int32_t> T5Model::first_tokens(const Ragged& sources) const {
  return std::vector<int32_t>(static_cast<size_t>(sources.rows()), structure_.decoder_start_id);
}

std::unique_ptr<Model> make_t5(const Json& config, const std::string& file, std::optional<uint64_t> seed) {
  const T5Config c = read_structure(config, file);
  // Said by itself: whether the output is tied may turn out otherwise (see build_for() of the registry).
  Json full = config;
  full["scale_decoder_outputs"] = c.scale_outputs;
  return std::make_unique<T5Model>(c, std::move(full), seed);
}

// Version 1.1 (gated, output not tied), as transformers' config of it.
Json new_t5(const NewModel& m) {
  check<UsageError>(m.ids.pad >= 0 && m.ids.eos >= 0,
                    "this family needs a tokenizer with a padding token and an end-of-text token");
  constexpr int kMultiple = 32;
  const int ffn = m.ffn.value_or((8 * m.d_model / 3 + kMultiple - 1) / kMultiple * kMultiple);
  Json config{{"model_type", "t5"},
              {"architectures", {"T5ForConditionalGeneration"}},
              {"vocab_size", m.vocab},
              {"d_model", m.d_model},
              {"d_kv", m.d_model / m.head_count()},
              {"d_ff", ffn},
              {"num_layers", m.layers},
              {"num_decoder_layers", m.layers},
              {"num_heads", m.head_count()},
              {"relative_attention_num_buckets", 32},
              {"relative_attention_max_distance", 128},
              {"feed_forward_proj", "gated-gelu"},
              {"dropout_rate", m.dropout_rate()},
              {"layer_norm_epsilon", 1e-6},
              {"initializer_factor", 1.0},
              {"is_encoder_decoder", true},
              {"tie_word_embeddings", false},
              {"decoder_start_token_id", m.ids.pad}};
  write_ids(config, m.ids);
  return config;
}

}  // namespace heed::models
