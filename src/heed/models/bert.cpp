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

const HeadNames kNames = {
    .base = "bert.",
    .dense = "cls.predictions.transform.dense",
    .norm = "cls.predictions.transform.LayerNorm",
    .output = "cls.predictions.decoder",
    .bias = "cls.predictions.bias",
    .others = "cls.",
};

// The other half of pretraining, whether one text follows the other: kept as it is.
void keep_next_sentence(HeadConfig& head, const TextEncoderConfig& c) {
  head.unused.emplace_back("bert.pooler.dense.weight", Shape{c.model, c.model});
  head.unused.emplace_back("bert.pooler.dense.bias", Shape{c.model});
  head.unused.emplace_back("cls.seq_relationship.weight", Shape{2, c.model});
  head.unused.emplace_back("cls.seq_relationship.bias", Shape{2});
}

}  // namespace

std::unique_ptr<Model> make_bert(const Json& config, const std::string& file, std::optional<uint64_t> seed) {
  const io::ConfigReader r(config, file);
  const Architecture architecture = read_architecture(r, file, kArchitectures);
  TextEncoderConfig c = read_text_encoder(r, file, {.vocab = 30522, .types = 2});
  c.padding = read_padding(r, config, 0, c.vocab);
  HeadConfig head = read_head(r, file, architecture.second, c, kNames);
  if (architecture.first == "BertForPreTraining") keep_next_sentence(head, c);
  if (head.kind == Head::kSequenceClassification) {
    add_pooler(head, kNames.base);
    head.dropout_after = read_classifier_dropout(r, c);
    head.output = "classifier";
  }
  return make_encoder(c, {}, kNames, head, config, seed);
}

Json new_bert(const NewModel& wanted) {
  Json config = new_text_encoder(wanted, kArchitectures);
  config["model_type"] = "bert";
  return config;
}

}  // namespace heed::models
