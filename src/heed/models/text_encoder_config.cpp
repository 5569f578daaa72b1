#include "heed/models/text_encoder_config.h"

#include <fmt/ranges.h>

#include "heed/models/config_values.h"

namespace heed::models {
namespace {

HeadConfig masked_lm(HeadConfig head, const TextEncoderConfig& c, const HeadNames& names, bool tied) {
  head.dense = names.dense;
  head.activation = c.activation;
  head.norm = names.norm;
  head.output = names.output;
  head.tied = tied;
  if (tied) head.bias = names.bias;
  else if (!names.bias.empty()) head.unused.emplace_back(names.bias, Shape{c.vocab});  // written, but not added
  return head;
}

// Buffers that older files hold.
bool is_known_buffer(const std::string& name) {
  return name.ends_with("embeddings.position_ids") || name.ends_with("embeddings.token_type_ids");
}

WeightRules rules_of(const HeadConfig& head, const HeadNames& names) {
  WeightRules rules;
  rules.base_prefix = names.base;
  rules.rename = modern_norm_name;
  // Another head's tensors, or a pooler that the one in use does not need.
  rules.ignored = [names](const std::string& name) {
    return is_known_buffer(name) || name.starts_with(names.others) || name.starts_with(names.base + "pooler.") ||
           name.starts_with("pooler.");
  };
  if (head.tied) {
    rules.tied = {{names.output + ".weight", names.base + "embeddings.word_embeddings.weight"}};
    if (!names.bias.empty()) rules.tied.emplace_back(names.output + ".bias", names.bias);
  } else if (!names.bias.empty()) {
    rules.optional = [names](const std::string& name) { return name == names.bias; };
  }
  return rules;
}

}  // namespace

Architecture read_architecture(const io::ConfigReader& config, const std::string& file,
                               std::span<const Architecture> known) {
  const std::vector<std::string> given = config.strings("architectures");
  if (given.empty()) return known.front();
  std::vector<std::string_view> names;
  for (const Architecture& architecture : known) {
    if (architecture.first == given.front()) return architecture;
    names.push_back(architecture.first);
  }
  fail<ConfigError>("{}: architectures is \"{}\"; Heed reads {}", file, given.front(), fmt::join(names, ", "));
}

std::string architecture_for(Head head, std::span<const Architecture> known) {
  for (const auto& [name, kind] : known)
    if (kind == head) return std::string(name);
  fail<UsageError>("{} and its kin have no such head", known.front().first);
}

Json new_text_encoder(const NewModel& m, std::span<const Architecture> known) {
  Json config{{"architectures", {architecture_for(m.head, known)}},
              {"vocab_size", m.vocab},
              {"hidden_size", m.d_model},
              {"num_hidden_layers", m.layers},
              {"num_attention_heads", m.head_count()},
              {"intermediate_size", m.ffn_width()},
              {"max_position_embeddings", m.position_count()},
              {"type_vocab_size", 2},
              {"hidden_act", "gelu"},
              {"hidden_dropout_prob", m.dropout_rate()},
              {"attention_probs_dropout_prob", m.dropout_rate()},
              {"classifier_dropout", nullptr},
              {"layer_norm_eps", 1e-12},
              {"initializer_range", m.deviation()}};
  write_ids(config, m.ids);
  return config;
}

float read_rate(const io::ConfigReader& config, std::string_view key, float fallback) {
  return config.get_or<float>(key, fallback, 0, 0.99f);
}

std::optional<int32_t> read_padding(const io::ConfigReader& config, const Json& json, int32_t fallback, int64_t vocab) {
  const auto at = json.find("pad_token_id");
  if (at != json.end() && at->is_null()) return std::nullopt;
  return config.get_or<int>("pad_token_id", std::min(fallback, static_cast<int>(vocab) - 1), 0,
                            static_cast<int>(vocab) - 1);
}

void check_heads(const std::string& file, std::string_view key, const TextEncoderConfig& config) {
  check<ConfigError>(config.model % config.heads == 0, "{}: {} is {}, which does not divide the model's width {}", file,
                     key, config.heads, config.model);
}

TextEncoderConfig read_text_encoder(const io::ConfigReader& r, const std::string& file, TextEncoderConfig c) {
  c.vocab = r.get_or<int>("vocab_size", static_cast<int>(c.vocab), 1, io::kMaxVocab);
  c.model = r.get_or<int>("hidden_size", static_cast<int>(c.model), 1, io::kMaxHidden);
  c.layers = r.get_or<int>("num_hidden_layers", c.layers, 1, io::kMaxLayers);
  c.heads = r.get_or<int>("num_attention_heads", c.heads, 1, io::kMaxHeads);
  c.ffn = r.get_or<int>("intermediate_size", static_cast<int>(c.ffn), 1, io::kMaxHidden);
  c.positions = r.get_or<int>("max_position_embeddings", static_cast<int>(c.positions), 1, 1 << 20);
  c.types = r.get_or<int>("type_vocab_size", static_cast<int>(c.types), 1, 1 << 16);
  c.activation = read_activation(r, "hidden_act", c.activation);
  c.dropout = c.residual_dropout = read_rate(r, "hidden_dropout_prob", c.dropout);
  c.attention_dropout = read_rate(r, "attention_probs_dropout_prob", c.attention_dropout);
  c.epsilon = r.get_or<float>("layer_norm_eps", c.epsilon, 0, 1);
  c.deviation = r.get_or<double>("initializer_range", c.deviation, 0, 100);
  check_heads(file, "num_attention_heads", c);
  r.allow_only("position_embedding_type", "absolute");
  r.allow_only("is_decoder", false);
  r.allow_only("add_cross_attention", false);
  r.allow_only("pruned_heads", Json::object());
  return c;
}

float read_classifier_dropout(const io::ConfigReader& config, const TextEncoderConfig& encoder) {
  return read_rate(config, "classifier_dropout", encoder.dropout);
}

Classification read_classes(const io::ConfigReader& config, const std::string& file, Head head) {
  if (head != Head::kSequenceClassification && head != Head::kTokenClassification) return {};
  Classification classes = read_classification(config, file);
  if (head == Head::kTokenClassification) classes.problem = Problem::kSingleLabel;
  return classes;
}

void add_pooler(HeadConfig& head, const std::string& prefix) {
  head.dense = prefix + "pooler.dense";
  head.activation = Activation::kTanh;
  head.is_pooler = true;
}

HeadConfig read_head(const io::ConfigReader& config, const std::string& file, Head kind, const TextEncoderConfig& c,
                     const HeadNames& names) {
  HeadConfig head;
  head.kind = kind;
  head.classes = read_classes(config, file, kind);
  head.epsilon = c.epsilon;
  switch (kind) {
    case Head::kNone:
      if (names.has_pooler && config.get_or("add_pooling_layer", true)) add_pooler(head, "");
      return head;
    case Head::kMaskedLM: return masked_lm(head, c, names, config.get_or("tie_word_embeddings", true));
    case Head::kSequenceClassification: return head;
    case Head::kTokenClassification:
      head.dropout_before = read_classifier_dropout(config, c);
      head.output = "classifier";
      return head;
    case Head::kQuestionAnswering: head.output = "qa_outputs"; return head;
  }
  return head;
}

std::unique_ptr<Model> make_encoder(const TextEncoderConfig& c, const TextEncoderNames& encoder_names,
                                    const HeadNames& names, const HeadConfig& head, const Json& json,
                                    std::optional<uint64_t> seed) {
  const std::string prefix = head.kind == Head::kNone ? "" : names.base;
  const auto body = [&](nn::Builder& b) { return std::make_unique<TextEncoder>(b, prefix, encoder_names, c); };
  return std::make_unique<EncoderWithHead>(body, head, rules_of(head, names), json, seed);
}

}  // namespace heed::models
