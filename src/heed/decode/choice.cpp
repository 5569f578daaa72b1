#include "heed/decode/choice.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "heed/base/random.h"

namespace heed::decode {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// Sixty-four maxima side by side, which compilers turn into vector instructions (sixteen would be kept one by one).
float maximum(std::span<const float> x) {
  constexpr size_t kLanes = 64;
  std::array<float, kLanes> lanes;
  lanes.fill(kNever);
  size_t i = 0;
  for (; i + kLanes <= x.size(); i += kLanes)
    for (size_t j = 0; j < kLanes; ++j) lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
  for (; i < x.size(); ++i) lanes[0] = x[i] > lanes[0] ? x[i] : lanes[0];
  return *std::max_element(lanes.begin(), lanes.end());
}

}  // namespace

int32_t argmax(std::span<const float> logits) {
  // By blocks, so that only one of them is searched for the place of the maximum.
  constexpr size_t kBlock = 512;
  float max = kNever;
  std::span<const float> best;
  for (size_t i = 0; i < logits.size(); i += kBlock) {
    const auto block = logits.subspan(i, std::min(kBlock, logits.size() - i));
    if (const float m = maximum(block); m > max) {
      max = m;
      best = block;
    }
  }
  if (best.empty()) return -1;
  return static_cast<int32_t>(std::find(best.begin(), best.end(), max) - best.begin() + (best.data() - logits.data()));
}

double uniform_draw(uint64_t seed, uint64_t example, uint32_t step, uint32_t sample) {
  const PhiloxCounter words =
      philox({step, sample, static_cast<uint32_t>(example), static_cast<uint32_t>(example >> 32)}, philox_key(seed));
  const uint64_t high = words[0] >> 5, low = words[1] >> 6;
  return static_cast<double>(high * 67108864 + low) / 9007199254740992.0;
}

int32_t sample(std::span<const float> logits, double u, std::vector<float>& scratch) {
  const float max = maximum(logits);
  if (!(max > kNever)) return -1;
  scratch.resize(logits.size());
  double total = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    scratch[i] = logits[i] > kNever ? std::exp(logits[i] - max) : 0;
    total += scratch[i];
  }
  const double wanted = u * total;
  double passed = 0;
  int32_t last = -1;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (scratch[i] == 0) continue;
    last = static_cast<int32_t>(i);
    passed += scratch[i];
    if (passed > wanted) break;
  }
  return last;
}

}  // namespace heed::decode
