#include "heed/models/bert.h"

#include "heed/models/text_encoder_config.h"

namespace heed::models {
namespace {

constexpr Architecture kArchitectures[] = {
    {"BertModel", Head::kNone},
    {"BertForMaskedLM", Head::kMaskedLM},
    {"BertForPreTraining", Head::kMaskedLM},
    {"BertForSequenceClassification", Head::kSequenceClassification},
    {"BertForTokenClassification", Head::kTokenClassification},
    {"BertForQuestionAnswering", Head::kQuestionAnswering},
};

HeadConfig with_pooler(HeadConfig head, const std::string& prefix) {
  head.dense = prefix + "pooler.dense";
  head.activation = Activation::kTanh;
  head.is_pooler = true;
  return head;
}

HeadConfig masked_lm(HeadConfig head, const TextEncoderConfig& c, bool pretraining) {
  head.dense = "cls.predictions.transform.dense";
  head.activation = c.activation;
  head.norm = "cls.predictions.transform.LayerNorm";
  head.output = "cls.predictions.decoder";
  if (head.tied) head.bias = "cls.predictions.bias";
  else head.unused.emplace_back("cls.predictions.bias", Shape{c.vocab});  // written, but not the one that is added
  if (!pretraining) return head;
  // The other half of pretraining, whether one text follows the other: kept as it is.
  head.unused.emplace_back("bert.pooler.dense.weight", Shape{c.model, c.model});
  head.unused.emplace_back("bert.pooler.dense.bias", Shape{c.model});
  head.unused.emplace_back("cls.seq_relationship.weight", Shape{2, c.model});
  head.unused.emplace_back("cls.seq_relationship.bias", Shape{2});
  return head;
}

HeadConfig read_head(const io::ConfigReader& r, const std::string& file, const Architecture& architecture,
                     const TextEncoderConfig& c) {
  HeadConfig head;
  head.kind = architecture.second;
  head.classes = read_classes(r, file, head.kind);
  switch (head.kind) {
    case Head::kNone: return with_pooler(head, "");
    case Head::kMaskedLM:
      head.tied = r.get_or("tie_word_embeddings", true);
      return masked_lm(head, c, architecture.first == "BertForPreTraining");
    case Head::kSequenceClassification:
      head = with_pooler(head, "bert.");
      head.dropout_after = read_classifier_dropout(r, c);
      head.output = "classifier";
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
  rules.base_prefix = "bert.";
  rules.rename = modern_norm_name;
  // Heads of pretraining that lie beside the one in use, or a pooler that it does not need.
  rules.ignored = [](const std::string& name) {
    return is_known_buffer(name) || name.starts_with("cls.") || name.starts_with("bert.pooler.") ||
           name.starts_with("pooler.");
  };
  rules.optional = [](const std::string& name) { return name == "cls.predictions.bias"; };
  if (!head.tied) return rules;
  rules.optional = [](const std::string&) { return false; };
  rules.tied = {{"cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"},
                {"cls.predictions.decoder.bias", "cls.predictions.bias"}};
  return rules;
}

}  // namespace

std::unique_ptr<Model> make_bert(const Json& config, const std::string& file, std::optional<uint64_t> seed) {
  const io::ConfigReader r(config, file);
  const Architecture architecture = read_architecture(r, file, kArchitectures);
  TextEncoderConfig c = read_text_encoder(r, file, {.vocab = 30522, .types = 2});
  c.padding = read_padding(r, config, 0, c.vocab);
  const HeadConfig head = read_head(r, file, architecture, c);
  return std::make_unique<EncoderWithHead>(c, TextEncoderNames(), head.kind == Head::kNone ? "" : "bert.", head,
                                           rules_of(head), config, seed);
}

Json new_bert(const NewModel& wanted) {
  Json config = new_text_encoder(wanted, kArchitectures);
  config["model_type"] = "bert";
  return config;
}

}  // namespace heed::models
