#include "heed/nn/rotary.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace heed::nn {
namespace {

// A table of all positions of a long context would be as large as a layer (64 MB for Llama 3.1); what lies beyond this
// many is computed for each pass, which costs less than a thousandth of the pass.
constexpr int64_t kTablePositions = 8192;

// base^(2c / head_dim)
std::vector<float> powers(double base, int head_dim) {
  std::vector<float> result;
  for (int c = 0; c < head_dim; c += 2)
    result.push_back(
        static_cast<float>(std::pow(base, static_cast<double>(static_cast<float>(c) / static_cast<float>(head_dim)))));
  return result;
}

std::vector<float> inverse(std::vector<float> x) {
  for (float& v : x) v = 1.0f / v;
  return x;
}

// Peng et al. 2023, section 3.2: channels that turn often within the original context keep their frequency, those that
// turn seldom get it divided by the factor, with a ramp between.
std::vector<float> yarn(const RotaryConfig& c) {
  const auto channel_of = [&](double turns) {
    return c.head_dim * std::log(static_cast<double>(c.original_positions) / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(c.base));
  };
  double low = channel_of(c.beta_fast), high = channel_of(c.beta_slow);
  if (c.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, c.head_dim - 1.0);
  if (low == high) high += 0.001;
  std::vector<float> result = powers(c.base, c.head_dim);
  for (size_t i = 0; i < result.size(); ++i) {
    const auto ramp = static_cast<float>(std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0));
    const float keep = 1.0f - ramp;
    const float divided = 1.0f / (static_cast<float>(c.factor) * result[i]), kept = 1.0f / result[i];
    result[i] = divided * (1.0f - keep) + kept * keep;
  }
  return result;
}

// Wavelengths beyond original / low_freq_factor are stretched, those below original / high_freq_factor are not.
std::vector<float> llama3(const RotaryConfig& c) {
  std::vector<float> result = inverse(powers(c.base, c.head_dim));
  const auto original = static_cast<double>(c.original_positions);
  for (float& f : result) {
    const float wavelength = static_cast<float>(2 * std::numbers::pi) / f;
    if (wavelength < original / c.high_freq_factor) continue;
    if (wavelength > original / c.low_freq_factor) {
      f /= static_cast<float>(c.factor);
      continue;
    }
    const auto smooth =
        static_cast<float>((original / wavelength - c.low_freq_factor) / (c.high_freq_factor - c.low_freq_factor));
    f = (1.0f - smooth) * f / static_cast<float>(c.factor) + smooth * f;
  }
  return result;
}

double yarn_attention_factor(const RotaryConfig& c) {
  const auto scale = [&](double mscale) { return c.factor <= 1 ? 1.0 : 0.1 * mscale * std::log(c.factor) + 1; };
  if (c.attention_factor) return *c.attention_factor;
  return c.mscale != 0 && c.mscale_all_dim != 0 ? scale(c.mscale) / scale(c.mscale_all_dim) : scale(1);
}

}  // namespace

Rotary::Rotary(const RotaryConfig& config) : config_(config) {
  check<ConfigError>(config.head_dim > 0 && config.head_dim % 2 == 0,
                     "rotary positions turn pairs of channels: a head_dim of {} is odd", config.head_dim);
  if (config.kind == RotaryKind::kYarn) attention_factor_ = static_cast<float>(yarn_attention_factor(config));
  const int64_t positions = std::min(config.max_positions, kTablePositions);
  table_ = Tensor::empty({positions, config.head_dim});
  const std::vector<float> f = frequencies(0);
  for (int64_t p = 0; p < positions; ++p)
    write_row(f, static_cast<int32_t>(p), table_.data<float>() + p * config.head_dim);
}

std::vector<float> Rotary::frequencies(int64_t length) const {
  switch (config_.kind) {
    case RotaryKind::kDefault: break;
    case RotaryKind::kLinear: {
      std::vector<float> f = inverse(powers(config_.base, config_.head_dim));
      for (float& x : f) x /= static_cast<float>(config_.factor);
      return f;
    }
    case RotaryKind::kDynamic: {
      const double most = static_cast<double>(config_.max_positions), dim = config_.head_dim, factor = config_.factor;
      if (static_cast<double>(length) <= most) break;
      const double growth = factor * static_cast<double>(length) / most - (factor - 1);
      return inverse(powers(config_.base * std::pow(growth, dim / (dim - 2)), config_.head_dim));
    }
    case RotaryKind::kYarn: return yarn(config_);
    case RotaryKind::kLlama3: return llama3(config_);
  }
  return inverse(powers(config_.base, config_.head_dim));
}

int64_t Rotary::max_length() const {
  if (config_.kind != RotaryKind::kDynamic) return config_.max_positions;
  // Beyond 2^24 a position is no exact f32.
  return static_cast<int64_t>(std::min(config_.factor * static_cast<double>(config_.max_positions), 0x1p24));
}

void Rotary::write_row(std::span<const float> f, int32_t position, float* row) const {
  for (size_t c = 0; c < f.size(); ++c) {
    const float angle = static_cast<float>(position) * f[c];
    row[c] = static_cast<float>(std::cos(static_cast<double>(angle))) * attention_factor_;
    row[f.size() + c] = static_cast<float>(std::sin(static_cast<double>(angle))) * attention_factor_;
  }
}

ops::Rotation Rotary::at(std::span<const int32_t> positions, std::span<const int32_t> lengths) const {
  const auto tokens = static_cast<int64_t>(positions.size());
  check<ShapeError>(positions.size() == lengths.size(), "rotary positions: {} positions with {} lengths", tokens,
                    lengths.size());
  if (std::all_of(lengths.begin(), lengths.end(), [&](int32_t length) { return length <= table_.dim(0); }))
    return {table_, Tensor::from(positions, {tokens})};
  // A row of its own for each token.
  Tensor rows = Tensor::empty({tokens, config_.head_dim}), places = Tensor::empty({tokens}, DType::kI32);
  std::vector<float> f;
  for (int64_t i = 0; i < tokens; ++i) {
    const auto at = static_cast<size_t>(i);
    if (i == 0 || lengths[at] != lengths[at - 1]) f = frequencies(lengths[at]);
    write_row(f, positions[at], rows.data<float>() + i * config_.head_dim);
    places.data<int32_t>()[i] = static_cast<int32_t>(i);
  }
  return {rows, places};
}

}  // namespace heed::nn
