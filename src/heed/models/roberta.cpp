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

const HeadNames kNames = {
    .base = "roberta.",
    .dense = "lm_head.dense",
    .norm = "lm_head.layer_norm",
    .output = "lm_head.decoder",
    .bias = "lm_head.bias",
    .others = "lm_head.",
};

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
  HeadConfig head = read_head(r, file, kind, c, kNames);
  if (kind == Head::kMaskedLM) head.activation = Activation::kGelu;  // whatever hidden_act is
  if (kind == Head::kSequenceClassification) {
    head.dropout_before = head.dropout_after = read_classifier_dropout(r, c);
    head.dense = "classifier.dense";
    head.activation = Activation::kTanh;
    head.output = "classifier.out_proj";
  }
  return make_encoder(c, {}, kNames, head, config, seed);
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
