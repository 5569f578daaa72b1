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

const TextEncoderNames kNames = {
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

HeadConfig read_head(const io::ConfigReader& r, const std::string& file, Head kind, const TextEncoderConfig& c) {
  HeadConfig head;
  head.kind = kind;
  head.classes = read_classes(r, file, kind);
  switch (kind) {
    case Head::kNone: return head;
    case Head::kMaskedLM:
      head.dense = "vocab_transform";
      head.activation = c.activation;
      head.norm = "vocab_layer_norm";
      head.output = "vocab_projector";
      head.tied = r.get_or("tie_word_embeddings", true);
      return head;
    case Head::kSequenceClassification:
      head.dense = "pre_classifier";
      head.activation = Activation::kRelu;
      head.dropout_after = read_rate(r, "seq_classif_dropout", 0.2f);
      head.output = "classifier";
      return head;
    case Head::kTokenClassification:
      head.dropout_before = c.dropout;
      head.output = "classifier";
      return head;
    case Head::kQuestionAnswering:
      head.dropout_before = read_rate(r, "qa_dropout", 0.1f);
      head.output = "qa_outputs";
      return head;
  }
  return head;
}

WeightRules rules_of(const HeadConfig& head) {
  WeightRules rules;
  rules.base_prefix = "distilbert.";
  rules.rename = modern_norm_name;
  rules.ignored = [](const std::string& name) { return is_known_buffer(name) || name.starts_with("vocab_"); };
  if (head.tied) rules.tied = {{"vocab_projector.weight", "distilbert.embeddings.word_embeddings.weight"}};
  return rules;
}

}  // namespace

std::unique_ptr<Model> make_distilbert(const Json& config, const std::string& file, std::optional<uint64_t> seed) {
  const io::ConfigReader r(config, file);
  const Head kind = read_architecture(r, file, kArchitectures).second;
  const TextEncoderConfig c = read_encoder(r, config, file);
  const HeadConfig head = read_head(r, file, kind, c);
  return std::make_unique<EncoderWithHead>(c, kNames, kind == Head::kNone ? "" : "distilbert.", head, rules_of(head),
                                           config, seed);
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
