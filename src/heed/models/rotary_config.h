// How config.json says which rotary positions a model has: "rope_parameters" (transformers 5), or "rope_theta" and
// "rope_scaling" (before).
#pragma once

#include "heed/io/config_reader.h"
#include "heed/nn/rotary.h"

namespace heed::models {

// Throws ConfigError naming the key if the type or a value is none that Heed computes.
nn::RotaryConfig read_rotary(const io::ConfigReader& r, int head_dim, int64_t max_positions);

}  // namespace heed::models
