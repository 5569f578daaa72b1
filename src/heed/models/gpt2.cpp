#include "heed/models/gpt2.h"

#include <cmath>

#include "heed/models/config_values.h"
#include "heed/nn/initialization.h"
#include "heed/tensor/backends.h"

namespace heed::models {
namespace {

Gpt2Config read_structure(const Json& json, const std::string& file) {
  const io::ConfigReader r(json, file);
  Gpt2Config c;
  c.vocab_size = r.get_or<int>("vocab_size", 50257, 1, io::kMaxVocab);
  c.max_positions = r.get_or<int>("n_positions", 1024, 1, io::kMaxPositions);
  c.d_model = r.get_or<int>("n_embd", 768, 1, io::kMaxHidden);
  c.num_layers = r.get_or<int>("n_layer", 12, 1, io::kMaxLayers);
  c.num_heads = r.get_or<int>("n_head", 12, 1, io::kMaxHeads);
  c.ffn =
      r.get_or<int>("n_inner", static_cast<int>(std::min<int64_t>(4 * c.d_model, io::kMaxHidden)), 1, io::kMaxHidden);
  c.activation = read_activation(r, "activation_function", Activation::kGeluTanh);
  c.norm_epsilon = r.get_or<float>("layer_norm_epsilon", 1e-5f, 0, 1);
  c.embedding_dropout = read_rate(r, "embd_pdrop", 0.1f);
  c.attention_dropout = read_rate(r, "attn_pdrop", 0.1f);
  c.dropout = read_rate(r, "resid_pdrop", 0.1f);
  c.scale_attention = r.get_or("scale_attn_weights", true);
  c.scale_attention_by_layer = r.get_or("scale_attn_by_inverse_layer_idx", false);
  c.tie_output = r.get_or("tie_word_embeddings", true);
  c.initializer_range = r.get_or<double>("initializer_range", 0.02, 0, 1);
  r.allow_only("add_cross_attention", false);
  r.get_bool("reorder_and_upcast_attn");  // says in which order f16 is rounded; in f32 the numbers are the same
  return c;
}

nn::AttentionConfig attention_config(const Gpt2Config& c, int layer) {
  nn::AttentionConfig a{c.d_model, c.num_heads, c.attention_dropout};
  const auto head_dim = static_cast<float>(c.d_model) / static_cast<float>(c.num_heads);  // a whole number
  a.scale = c.scale_attention ? 1 / std::sqrt(head_dim) : 1;
  if (c.scale_attention_by_layer) a.scale /= static_cast<float>(layer + 1);
  return a;
}

std::string name_of(int layer) { return fmt::format("transformer.h.{}.", layer); }

nn::Linear conv1d(nn::Builder& b, const std::string& name, int64_t in, int64_t out) {
  return {b, {name}, in, out, {.transposed = true}};
}

}  // namespace

Gpt2Block::Gpt2Block(nn::Builder& b, int layer, const Gpt2Config& c)
    : attention(b, conv1d(b, name_of(layer) + "attn.c_attn", c.d_model, 3 * c.d_model),
                conv1d(b, name_of(layer) + "attn.c_proj", c.d_model, c.d_model), attention_config(c, layer), true),
      attention_residual(b, name_of(layer) + "ln_1", c.d_model, true, c.dropout, c.norm_epsilon),
      ffn(b, {name_of(layer) + "mlp.c_fc", name_of(layer) + "mlp.c_proj"}, c.d_model, c.ffn, c.activation, 0,
          {.transposed = true}),
      ffn_residual(b, name_of(layer) + "ln_2", c.d_model, true, c.dropout, c.norm_epsilon) {}

Tensor Gpt2Block::operator()(const Tensor& x, const BlockPass& p) const {
  const Tensor h = attention_residual(x, p.pass, p.rows, [&](const Tensor& a) { return p.attend(attention, a); });
  return ffn_residual(h, p.pass, p.rows, [&](const Tensor& a) { return ffn(a, p.pass, p.rows); });
}

Gpt2Model::Gpt2Model(const Gpt2Config& c, Json config, std::optional<uint64_t> seed)
    : DecoderOnly(std::move(config)), structure_(c) {
  nn::Builder b(store_, seed);
  b.deviation = c.initializer_range;
  embedding_ = ops::Weight(store_.create({"transformer.wte.weight"}, {c.vocab_size, c.d_model}));
  positions_ = store_.create({"transformer.wpe.weight"}, {c.max_positions, c.d_model});
  nn::normal(embedding_.master(), c.initializer_range, b);
  nn::normal(positions_, c.initializer_range, b);
  embedding_site_ = b.take_sites(1);
  for (int i = 0; i < c.num_layers; ++i) blocks_.emplace_back(b, i, c);
  norm_ = nn::Norm(b, "transformer.ln_f", c.d_model, c.norm_epsilon);
  output_ = embedding_;
  if (!c.tie_output) {
    output_ = ops::Weight(store_.create({"lm_head.weight"}, {c.vocab_size, c.d_model}));
    nn::normal(output_.master(), c.initializer_range, b);
  }
  store_.add_output(output_, c.tie_output);
  max_length_ = c.max_positions;
  store_.flatten();
  if (!seed) return;
  // Each block adds to the residual stream twice (section 2.3).
  const float factor = 1 / std::sqrt(2 * static_cast<float>(c.num_layers));
  for (const auto& [name, tensor] : store_.named())
    if (name.ends_with("c_proj.weight")) backend().scale(tensor.view(), factor, false, tensor.view());
}

Tensor Gpt2Model::embed(const Tensor& ids, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const {
  return ops::embedding(ids, embedding_, 1, rows, positions_,
                        pass.dropout(structure_.embedding_dropout, embedding_site_, rows));
}

WeightRules Gpt2Model::weight_rules() const {
  WeightRules rules;
  rules.base_prefix = "transformer.";
  rules.tied = {{"lm_head.weight", "transformer.wte.weight"}};
  // The causal mask that old folders hold.
  rules.ignored = [](const std::string& name) {
    return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias");
  };
  return rules;
}

std::unique_ptr<Model> make_gpt2(const Json& config, const std::string& file, std::optional<uint64_t> seed) {
  return std::make_unique<Gpt2Model>(read_structure(config, file), config, seed);
}

Json new_gpt2(const NewModel& m) {
  Json config{{"model_type", "gpt2"},
              {"architectures", {"GPT2LMHeadModel"}},
              {"vocab_size", m.vocab},
              {"n_positions", m.position_count()},
              {"n_embd", m.d_model},
              {"n_layer", m.layers},
              {"n_head", m.head_count()},
              {"n_inner", m.ffn ? Json(*m.ffn) : Json()},
              {"activation_function", "gelu_new"},
              {"embd_pdrop", m.dropout_rate()},
              {"attn_pdrop", m.dropout_rate()},
              {"resid_pdrop", m.dropout_rate()},
              {"layer_norm_epsilon", 1e-5},
              {"initializer_range", 0.02},
              {"tie_word_embeddings", true}};
  write_ids(config, m.ids);
  return config;
}

}  // namespace heed::models
