// The angles of rotary positions (Su et al. 2021) and their variants for longer contexts, as transformers 5 computes
// them (modeling_rope_utils.py): in f32, so that large positions round alike.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "heed/ops/ops.h"

namespace heed::nn {

enum class RotaryKind : uint8_t {
  kDefault,  // theta_c = base^(-2c / head_dim)
  kLinear,   // angles divided by `factor` (Chen et al. 2023)
  kDynamic,  // a larger base for sequences longer than max_positions ("NTK-aware", dynamic)
  kYarn,     // angles divided by `factor` only where wavelengths are long (Peng et al. 2023)
  kLlama3,   // the same with Llama 3.1's bounds
};

struct RotaryConfig {
  RotaryKind kind = RotaryKind::kDefault;
  int head_dim = 0;
  int64_t max_positions = 0;
  double base = 10000;                       // rope_theta
  double factor = 1;                         // all kinds but kDefault
  int64_t original_positions = 0;            // kYarn, kLlama3: positions of the first training
  double beta_fast = 32, beta_slow = 1;      // kYarn: turns within the original context between which it blends
  bool truncate = true;                      // kYarn: the blend's ends at whole channels
  std::optional<double> attention_factor{};  // kYarn: of cosines and sines; by default from `factor` and the next two
  double mscale = 0, mscale_all_dim = 0;     // kYarn; 0: not given
  double low_freq_factor = 1, high_freq_factor = 4;  // kLlama3
};

// Immutable, thread-safe.
class Rotary {
 public:
  // Throws ConfigError if head_dim is odd.
  explicit Rotary(const RotaryConfig& config);

  // What tokens turn by: `positions[i]` is the i-th token's place in its sequence, which has `lengths[i]` tokens once
  // this one and all that are fed with it are there. The length matters to kDynamic alone; it is each sequence's own
  // (transformers takes the longest of the batch, and the longest of earlier batches where it had grown), so that
  // results do not depend on neighbours.
  ops::Rotation at(std::span<const int32_t> positions, std::span<const int32_t> lengths) const;

  // The angle per position of each pair of channels, for a sequence of that length: [head_dim / 2].
  std::vector<float> frequencies(int64_t length) const;
  // The angles of the first positions, which at() hands out.
  const Tensor& table() const { return table_; }
  // What cosines and sines are multiplied by.
  float attention_factor() const { return attention_factor_; }
  // Tokens that a sequence may have: with kDynamic `factor` times as many as max_positions.
  int64_t max_length() const;

 private:
  void write_row(std::span<const float> frequencies, int32_t position, float* row) const;

  RotaryConfig config_;
  float attention_factor_ = 1;
  Tensor table_;  // of the first positions: [positions, head_dim]
};

}  // namespace heed::nn
