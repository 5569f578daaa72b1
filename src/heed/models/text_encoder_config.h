// What several text encoders have in common beside the encoder: their config.json, their heads, and the names that
// folders have for them.
#pragma once

#include <span>
#include <string_view>
#include <utility>

#include "heed/io/config_reader.h"
#include "heed/models/encoder_with_head.h"
#include "heed/models/new_model.h"
#include "heed/models/text_encoder.h"

namespace heed::models {

// One architecture of a family, by the name that "architectures" gives it.
using Architecture = std::pair<std::string_view, Head>;

// The first of "architectures", which must be one of `known`; the first of those if nothing is given. Throws
// ConfigError that lists them.
Architecture read_architecture(const io::ConfigReader& config, const std::string& file,
                               std::span<const Architecture> known);

// The name of the architecture with the head that a new model shall have. Throws UsageError if there is none.
std::string architecture_for(Head head, std::span<const Architecture> known);

// What configurations of new encoders have in common: all but model_type and what the family adds.
Json new_text_encoder(const NewModel& wanted, std::span<const Architecture> known);

// Sizes, activation, rates and padding under the usual keys (hidden_size, num_hidden_layers, …). `defaults` holds what
// the family takes where a key is missing. Throws ConfigError for what is not supported, too.
TextEncoderConfig read_text_encoder(const io::ConfigReader& config, const std::string& file,
                                    TextEncoderConfig defaults);

// The token in [0, vocab) whose embedding is not trained: `fallback` if the key is missing, none if it is null.
std::optional<int32_t> read_padding(const io::ConfigReader& config, const Json& json, int32_t fallback, int64_t vocab);

// How a family's checkpoints call what stands on the encoder.
struct HeadNames {
  std::string base;                 // prefix of the encoder's names, where there is a head
  std::string dense, norm, output;  // of masked LM
  std::string bias{};               // of masked LM: the output's, if it has a name of its own
  std::string others;               // what heads that lie beside the one in use begin with
  bool has_pooler = true;           // of the model without a head, unless a folder lacks it (add_pooling_layer)
};

// A head as all families have it: nothing or a pooler; masked LM; token classification and question answering, each a
// map on the tokens. Of sequence classification only labels and problem: the rest is the family's.
HeadConfig read_head(const io::ConfigReader& config, const std::string& file, Head kind, const TextEncoderConfig& c,
                     const HeadNames& names);

// The pooler below `prefix`: act(dense(x)) of a row's first token.
void add_pooler(HeadConfig& head, const std::string& prefix);

// The encoder with this head. `json`: its configuration.
std::unique_ptr<Model> make_encoder(const TextEncoderConfig& c, const TextEncoderNames& encoder_names,
                                    const HeadNames& names, const HeadConfig& head, const Json& json,
                                    std::optional<uint64_t> seed);

// The rate of dropout before a classifier: classifier_dropout, or, if that is not given, hidden_dropout_prob.
float read_classifier_dropout(const io::ConfigReader& config, const TextEncoderConfig& encoder);

// Labels and problem of a head that has classes; token classification is always a choice of one.
Classification read_classes(const io::ConfigReader& config, const std::string& file, Head head);

// A rate of dropout.
float read_rate(const io::ConfigReader& config, std::string_view key, float fallback);

void check_heads(const std::string& file, std::string_view key, const TextEncoderConfig& config);

}  // namespace heed::models
