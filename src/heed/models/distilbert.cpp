#include "heed/models/distilbert.h"

#include "heed/models/config_values.h"
#include "heed/models/text_encoder_config.h"

namespace heed::models {
namespace {

constexpr Architecture kArchitectures[] = {
    {"DistilBertModel", Head::kNone},
    {"DistilBertForMaskedLM", Head::kMaskedLM},
    {"DistilBertForSequenceClassification", Head::kSequenceClassification},
    {"DistilBertForTokenClassification", Head::kTokenClassification},
    {"DistilBertForQuestionAnswering", Head::kQuestionAnswering},
};

const TextEncoderNames kEncoderNames = {
    .layers = "transformer.layer.",
    .attention = {"attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin"},
    .attention_norm = "sa_layer_norm",
    .fc1 = "ffn.lin1",
    .fc2 = "ffn.lin2",
    .ffn_norm = "output_layer_norm",
};

TextEncoderConfig read_encoder(const io::ConfigReader& r, const Json& json, const std::string& file) {
  TextEncoderConfig c;
  c.vocab = r.get_or<int>("vocab_size", 30522, 1, io::kMaxVocab);
  c.model = r.get_or<int>("dim", 768, 1, io::kMaxHidden);
  c.layers = r.get_or<int>("n_layers", 6, 1, io::kMaxLayers);
  c.heads = r.get_or<int>("n_heads", 12, 1, io::kMaxHeads);
  c.ffn = r.get_or<int>("hidden_dim", 4 * 768, 1, io::kMaxHidden);
  c.positions = r.get_or<int>("max_position_embeddings", 512, 1, 1 << 20);
  c.activation = read_activation(r, "activation", Activation::kGelu);
  c.dropout = read_rate(r, "dropout", 0.1f);
  c.attention_dropout = read_rate(r, "attention_dropout", 0.1f);
  c.residual_dropout = 0;
  c.deviation = r.get_or<double>("initializer_range", 0.02, 0, 100);
  c.sinusoidal = r.get_or("sinusoidal_pos_embds", false);
  c.padding = read_padding(r, json, 0, c.vocab);
  check_heads(file, "n_heads", c);
  r.allow_only("pruned_heads", Json::object());
  return c;
}

const HeadNames kNames = {
    .base = "distilbert.",
    .dense = "vocab_transform",
    .norm = "vocab_layer_norm",
    .output = "vocab_projector",
    .others = "vocab_",
    .has_pooler = false,
};

}  // namespace

std::unique_ptr<Model> make_distilbert(const Json& config, const std::string& file, std::optional<uint64_t> seed) {
  const io::ConfigReader r(config, file);
  const Head kind = read_architecture(r, file, kArchitectures).second;
  const TextEncoderConfig c = read_encoder(r, config, file);
  HeadConfig head = read_head(r, file, kind, c, kNames);
  if (kind == Head::kTokenClassification) head.dropout_before = c.dropout;
  if (kind == Head::kQuestionAnswering) head.dropout_before = read_rate(r, "qa_dropout", 0.1f);
  if (kind == Head::kSequenceClassification) {
    head.dense = "pre_classifier";
    head.activation = Activation::kRelu;
    head.dropout_after = read_rate(r, "seq_classif_dropout", 0.2f);
    head.output = "classifier";
  }
  return make_encoder(c, kEncoderNames, kNames, head, config, seed);
}

Json new_distilbert(const NewModel& m) {
  Json config{{"model_type", "distilbert"},
              {"architectures", {architecture_for(m.head, kArchitectures)}},
              {"vocab_size", m.vocab},
              {"dim", m.d_model},
              {"n_layers", m.layers},
              {"n_heads", m.head_count()},
              {"hidden_dim", m.ffn_width()},
              {"max_position_embeddings", m.position_count()},
              {"activation", "gelu"},
              {"dropout", m.dropout_rate()},
              {"attention_dropout", m.dropout_rate()},
              {"seq_classif_dropout", m.dropout_rate(0.2f)},
              {"qa_dropout", m.dropout_rate()},
              {"initializer_range", m.deviation()},
              {"sinusoidal_pos_embds", false}};
  write_ids(config, m.ids);
  return config;
}

}  // namespace heed::models
