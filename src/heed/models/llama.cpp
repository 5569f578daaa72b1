#include "heed/models/llama.h"

#include "heed/models/config_values.h"
#include "heed/models/rotary_config.h"
#include "heed/nn/initialization.h"

namespace heed::models {
namespace {

LlamaConfig read_structure(const Json& json, const std::string& file) {
  const io::ConfigReader r(json, file);
  LlamaConfig c;
  c.vocab_size = r.get_or<int>("vocab_size", 32000, 1, io::kMaxVocab);
  c.d_model = r.get_or<int>("hidden_size", 4096, 1, io::kMaxHidden);
  c.ffn = r.get_or<int>("intermediate_size", 11008, 1, io::kMaxHidden);
  c.num_layers = r.get_or<int>("num_hidden_layers", 32, 1, io::kMaxLayers);
  c.num_heads = r.get_or<int>("num_attention_heads", 32, 1, io::kMaxHeads);
  c.kv_heads = r.get_or<int>("num_key_value_heads", c.num_heads, 1, c.num_heads);
  check<ConfigError>(c.num_heads % c.kv_heads == 0,
                     "{}: num_key_value_heads: {} key heads cannot share {} attention heads", file, c.kv_heads,
                     c.num_heads);
  const int head_dim = static_cast<int>(c.d_model) / c.num_heads;
  check<ConfigError>(r.has("head_dim") || c.d_model % c.num_heads == 0,
                     "{}: hidden_size: {} is not a multiple of {} attention heads", file, c.d_model, c.num_heads);
  c.head_dim = r.get_or<int>("head_dim", head_dim, 1, io::kMaxHidden);
  c.max_positions = r.get_or<int>("max_position_embeddings", 2048, 1, io::kMaxPositions);
  c.activation = read_activation(r, "hidden_act", Activation::kSilu);
  c.norm_epsilon = r.get_or<float>("rms_norm_eps", 1e-6f, 0, 1);
  c.attention_dropout = read_rate(r, "attention_dropout", 0);
  c.attention_bias = r.get_or("attention_bias", false);
  c.mlp_bias = r.get_or("mlp_bias", false);
  c.tie_output = r.get_or("tie_word_embeddings", false);
  // Old folders say -1 for "none".
  c.pad_id = r.get_or<int>("pad_token_id", -1, -1, static_cast<int>(c.vocab_size) - 1);
  c.initializer_range = r.get_or<double>("initializer_range", 0.02, 0, 1);
  r.allow_only("pretraining_tp", 1);  // more asks for products in parts, which round otherwise
  c.rotary = read_rotary(r, c.head_dim, c.max_positions);
  return c;
}

nn::AttentionNames projections(const std::string& name) {
  return {name + "q_proj", name + "k_proj", name + "v_proj", name + "o_proj"};
}

nn::AttentionConfig attention_config(const LlamaConfig& c) {
  return {.model = c.d_model,
          .heads = c.num_heads,
          .dropout = c.attention_dropout,
          .kv_heads = c.kv_heads,
          .head_dim = c.head_dim,
          .qkv_bias = c.attention_bias,
          .out_bias = c.attention_bias};
}

}  // namespace

LlamaBlock::LlamaBlock(nn::Builder& b, const std::string& name, const LlamaConfig& c)
    : attention(b, projections(name + "self_attn."), attention_config(c), true),
      attention_residual(b, name + "input_layernorm", c.d_model, true, 0, c.norm_epsilon, NormKind::kRms),
      ffn(b, {name + "mlp.gate_proj", name + "mlp.up_proj", name + "mlp.down_proj"}, c.d_model, c.ffn, c.activation, 0,
          c.mlp_bias),
      ffn_residual(b, name + "post_attention_layernorm", c.d_model, true, 0, c.norm_epsilon, NormKind::kRms) {}

Tensor LlamaBlock::operator()(const Tensor& x, const BlockPass& p) const {
  const Tensor h = attention_residual(x, p.pass, p.rows, [&](const Tensor& a) { return p.attend(attention, a); });
  return ffn_residual(h, p.pass, p.rows, [&](const Tensor& a) { return ffn(a, p.pass, p.rows); });
}

LlamaModel::LlamaModel(const LlamaConfig& c, Json config, std::optional<uint64_t> seed)
    : DecoderOnly(std::move(config)), structure_(c) {
  nn::Builder b(store_, seed);
  b.deviation = c.initializer_range;
  embedding_ = ops::Weight(store_.create({"model.embed_tokens.weight"}, {c.vocab_size, c.d_model}));
  nn::normal(embedding_.master(), c.initializer_range, b);
  for (int i = 0; i < c.num_layers; ++i) blocks_.emplace_back(b, fmt::format("model.layers.{}.", i), c);
  norm_ = nn::Norm(b, "model.norm", c.d_model, c.norm_epsilon, NormKind::kRms);
  output_ = embedding_;
  if (!c.tie_output) {
    output_ = ops::Weight(store_.create({"lm_head.weight"}, {c.vocab_size, c.d_model}));
    nn::normal(output_.master(), c.initializer_range, b);
  }
  store_.add_output(output_, c.tie_output);
  rotary_.emplace(c.rotary);
  store_.keep(rotary_->table());
  max_length_ = rotary_->max_length();
  store_.flatten();
}

Tensor LlamaModel::embed(const Tensor& ids, const ops::TokenRowsPtr& rows, const nn::Pass&) const {
  return ops::embedding(ids, embedding_, 1, rows, {}, {}, structure_.pad_id);
}

WeightRules LlamaModel::weight_rules() const {
  WeightRules rules;
  rules.base_prefix = "model.";
  rules.tied = {{"lm_head.weight", "model.embed_tokens.weight"}};
  // The frequencies that old folders hold.
  rules.ignored = [](const std::string& name) { return name.ends_with(".rotary_emb.inv_freq"); };
  return rules;
}

std::unique_ptr<Model> make_llama(const Json& config, const std::string& file, std::optional<uint64_t> seed) {
  return std::make_unique<LlamaModel>(read_structure(config, file), config, seed);
}

Json new_llama(const NewModel& m) {
  // Two thirds of the usual width, as the gate is a third matrix (Touvron et al. 2023, section 2.2), in whole cache
  // lines.
  constexpr int kMultiple = 32;
  const int ffn = m.ffn.value_or((8 * m.d_model / 3 + kMultiple - 1) / kMultiple * kMultiple);
  Json config{{"model_type", "llama"},
              {"architectures", {"LlamaForCausalLM"}},
              {"vocab_size", m.vocab},
              {"hidden_size", m.d_model},
              {"intermediate_size", ffn},
              {"num_hidden_layers", m.layers},
              {"num_attention_heads", m.head_count()},
              {"num_key_value_heads", m.kv_heads.value_or(m.head_count())},
              {"max_position_embeddings", m.position_count()},
              {"hidden_act", "silu"},
              {"attention_dropout", m.dropout_rate(0)},
              {"rms_norm_eps", 1e-5},
              {"rope_theta", 10000.0},
              {"initializer_range", 0.02},
              {"tie_word_embeddings", true}};
  write_ids(config, m.ids);
  return config;
}

}  // namespace heed::models
