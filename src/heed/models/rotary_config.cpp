#include "heed/models/rotary_config.h"

namespace heed::models {
namespace {

constexpr double kMaxBase = 1e12, kMaxFactor = 1e6;

nn::RotaryKind kind_of(const io::ConfigReader& r) {
  using enum nn::RotaryKind;
  const io::ConfigReader::Choices<nn::RotaryKind> kinds = {
      {"default", kDefault}, {"linear", kLinear}, {"dynamic", kDynamic}, {"yarn", kYarn}, {"llama3", kLlama3}};
  return r.get_enum_or(r.has("rope_type") ? "rope_type" : "type", kDefault, kinds);
}

// A number that counts as not given where it is 0.
double given_or(const io::ConfigReader& r, const char* key, double fallback) {
  const double value = r.get_or<double>(key, 0, 0, kMaxFactor);
  return value == 0 ? fallback : value;
}

void read_yarn(const io::ConfigReader& r, nn::RotaryConfig& c) {
  // Without a factor it is the ratio of the contexts.
  c.factor = r.get_or<double>(
      "factor", static_cast<double>(c.max_positions) / static_cast<double>(c.original_positions), 1e-6, kMaxFactor);
  c.attention_factor = r.get<double>("attention_factor", 0, kMaxFactor);
  c.beta_fast = given_or(r, "beta_fast", 32);
  c.beta_slow = given_or(r, "beta_slow", 1);
  c.mscale = r.get_or<double>("mscale", 0, -kMaxFactor, kMaxFactor);
  c.mscale_all_dim = r.get_or<double>("mscale_all_dim", 0, -kMaxFactor, kMaxFactor);
  c.truncate = r.get_or("truncate", true);
}

void read_scaling(const io::ConfigReader& r, nn::RotaryConfig& c) {
  c.kind = kind_of(r);
  c.base = r.get_or<double>("rope_theta", c.base, 1, kMaxBase);
  r.allow_only("partial_rotary_factor", 1.0);
  if (c.original_positions == 0)
    c.original_positions =
        r.get_or<int>("original_max_position_embeddings", static_cast<int>(c.max_positions), 1, io::kMaxPositions);
  switch (c.kind) {
    case nn::RotaryKind::kDefault: return;
    case nn::RotaryKind::kYarn: return read_yarn(r, c);
    case nn::RotaryKind::kLlama3:
      c.low_freq_factor = r.require<double>("low_freq_factor", 1e-6, kMaxFactor);
      c.high_freq_factor = r.require<double>("high_freq_factor", 1e-6, kMaxFactor);
      break;
    case nn::RotaryKind::kLinear:
    case nn::RotaryKind::kDynamic: break;
  }
  c.factor = r.require<double>("factor", 1e-6, kMaxFactor);
}

}  // namespace

nn::RotaryConfig read_rotary(const io::ConfigReader& r, int head_dim, int64_t max_positions) {
  nn::RotaryConfig c;
  c.head_dim = head_dim;
  c.max_positions = max_positions;
  c.base = r.get_or<double>("rope_theta", c.base, 1, kMaxBase);
  r.allow_only("partial_rotary_factor", 1.0);
  // Beside the object it goes first.
  c.original_positions = r.get_or<int>("original_max_position_embeddings", 0, 1, io::kMaxPositions);
  const auto old = r.object("rope_scaling"), parameters = r.object("rope_parameters");
  if (old) read_scaling(*old, c);
  else if (parameters) read_scaling(*parameters, c);
  return c;
}

}  // namespace heed::models
