// Values that the config.json of several families hold.
#pragma once

#include <string>
#include <string_view>

#include "heed/core/backend.h"
#include "heed/io/config_reader.h"

namespace heed::models {

// An activation function by the names that Hugging Face gives it (tests/golden/activations.json has their values).
// ConfigError listing those that Heed computes for any other.
Activation read_activation(const io::ConfigReader& reader, std::string_view key, Activation fallback);

// A name of `activation`.
std::string_view activation_name(Activation activation);

// A token id below `vocab`; of a list the first one.
int read_token_id(const io::ConfigReader& reader, const std::string& file, std::string_view key, int fallback,
                  int64_t vocab);

}  // namespace heed::models
