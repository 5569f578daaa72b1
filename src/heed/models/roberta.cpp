#include "heed/models/roberta.h"

#include "heed/models/text_encoder_config.h"

namespace heed::models {
namespace {

constexpr Architecture kArchitectures[] = {
    {"RobertaModel", Head::kNone},
    {"RobertaForMaskedLM", Head::kMaskedLM},
    {"RobertaForSequenceClassification", Head::kSequenceClassification},
    {"RobertaForTokenClassification", Head::kTokenClassification},
    {"RobertaForQuestionAnswering", Head::kQuestionAnswering},
};

HeadConfig read_head(const io::ConfigReader& r, const std::string& file, Head kind, const TextEncoderConfig& c) {
  HeadConfig head;
  head.kind = kind;
  head.classes = read_classes(r, file, kind);
  switch (kind) {
    case Head::kNone:
      head.dense = "pooler.dense";
      head.activation = Activation::kTanh;
      head.is_pooler = true;
      return head;
    case Head::kMaskedLM:
      head.dense = "lm_head.dense";
      head.activation = Activation::kGelu;  // whatever hidden_act is
      head.norm = "lm_head.layer_norm";
      head.output = "lm_head.decoder";
      head.tied = r.get_or("tie_word_embeddings", true);
      if (head.tied) head.bias = "lm_head.bias";
      else head.unused.emplace_back("lm_head.bias", Shape{c.vocab});  // written, but not the one that is added
      return head;
    case Head::kSequenceClassification:
      head.dropout_before = head.dropout_after = read_classifier_dropout(r, c);
      head.dense = "classifier.dense";
      head.activation = Activation::kTanh;
      head.output = "classifier.out_proj";
      return head;
    case Head::kTokenClassification:
      head.dropout_before = read_classifier_dropout(r, c);
      head.output = "classifier";
      return head;
    case Head::kQuestionAnswering: head.output = "qa_outputs"; return head;
  }
  return head;
}

WeightRules rules_of(const HeadConfig& head) {
  WeightRules rules;
  rules.base_prefix = "roberta.";
  rules.rename = modern_norm_name;
  rules.ignored = [](const std::string& name) {
    return is_known_buffer(name) || name.starts_with("lm_head.") || name.starts_with("roberta.pooler.") ||
           name.starts_with("pooler.");
  };
  rules.optional = [](const std::string& name) { return name == "lm_head.bias"; };
  if (!head.tied) return rules;
  rules.optional = [](const std::string&) { return false; };
  rules.tied = {{"lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight"},
                {"lm_head.decoder.bias", "lm_head.bias"}};
  return rules;
}

}  // namespace

std::unique_ptr<Model> make_roberta(const Json& config, const std::string& file, std::optional<uint64_t> seed) {
  const io::ConfigReader r(config, file);
  const Head kind = read_architecture(r, file, kArchitectures).second;
  TextEncoderConfig c = read_text_encoder(r, file, {.vocab = 50265, .types = 2});
  c.padding = read_padding(r, config, 1, c.vocab);
  check<ConfigError>(c.padding.has_value(), "{}: pad_token_id is null; positions are counted from it", file);
  c.scheme = {*c.padding + 1, *c.padding};
  check<ConfigError>(c.scheme.first < c.positions, "{}: max_position_embeddings is {}; positions begin at {}", file,
                     c.positions, c.scheme.first);
  const HeadConfig head = read_head(r, file, kind, c);
  return std::make_unique<EncoderWithHead>(c, TextEncoderNames(), kind == Head::kNone ? "" : "roberta.", head,
                                           rules_of(head), config, seed);
}

Json new_roberta(const NewModel& wanted) {
  check<UsageError>(wanted.ids.pad >= 0,
                    "this family counts positions from the padding token, which the tokenizer lacks");
  Json config = new_text_encoder(wanted, kArchitectures);
  config["model_type"] = "roberta";
  config["max_position_embeddings"] = wanted.position_count() + wanted.ids.pad + 1;
  return config;
}

}  // namespace heed::models
