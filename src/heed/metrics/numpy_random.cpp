#include "heed/metrics/numpy_random.h"

#include <array>
#include <bit>
#include <cassert>

namespace heed::metrics {
namespace {

constexpr uint32_t kInitA = 0x43B0D7E5, kMultA = 0x931E8875;
constexpr uint32_t kInitB = 0x8B51F9DD, kMultB = 0x58F38DED;
constexpr uint32_t kMixLeft = 0xCA01F9DD, kMixRight = 0x4973F715;
constexpr uint64_t kPcgMultiplierHigh = 2549297995355413924u, kPcgMultiplierLow = 4865540595714422341u;

constexpr uint32_t fold(uint32_t x) { return x ^ x >> 16; }

// SeedSequence(seed).generate_state(8): the seed's two words (NumPy drops a high word of zero, which its pool then
// stands in for, so the result is the same) spread over a pool of four, read out twice.
std::array<uint32_t, 8> seed_words(uint64_t seed) {
  uint32_t constant = kInitA;
  const auto hash = [&](uint32_t value) {
    value ^= constant;
    constant *= kMultA;
    return fold(value * constant);
  };
  std::array<uint32_t, 4> pool;
  pool[0] = hash(static_cast<uint32_t>(seed));
  pool[1] = hash(static_cast<uint32_t>(seed >> 32));
  pool[2] = hash(0);
  pool[3] = hash(0);
  for (size_t from = 0; from < pool.size(); ++from)
    for (size_t to = 0; to < pool.size(); ++to)
      if (from != to) pool[to] = fold(kMixLeft * pool[to] - kMixRight * hash(pool[from]));
  std::array<uint32_t, 8> words;
  constant = kInitB;
  for (size_t i = 0; i < words.size(); ++i) {
    const uint32_t value = pool[i % pool.size()] ^ constant;
    constant *= kMultB;
    words[i] = fold(value * constant);
  }
  return words;
}

}  // namespace

NumpyRandom::NumpyRandom(uint64_t seed) {
  const std::array<uint32_t, 8> words = seed_words(seed);
  const auto word_64 = [&](size_t i) { return uint64_t{words[2 * i + 1]} << 32 | words[2 * i]; };
  const auto word_128 = [&](size_t i) { return State{word_64(i)} << 64 | word_64(i + 1); };
  increment_ = word_128(2) << 1 | 1;
  next_64();
  state_ += word_128(0);
  next_64();
}

uint64_t NumpyRandom::next_64() {
  constexpr State kMultiplier = State{kPcgMultiplierHigh} << 64 | kPcgMultiplierLow;
  state_ = state_ * kMultiplier + increment_;
  return std::rotr(static_cast<uint64_t>(state_ >> 64) ^ static_cast<uint64_t>(state_),
                   static_cast<int>(state_ >> 122));
}

uint32_t NumpyRandom::next_32() {
  if (has_high_half_) {
    has_high_half_ = false;
    return high_half_;
  }
  const uint64_t both = next_64();
  high_half_ = static_cast<uint32_t>(both >> 32);
  has_high_half_ = true;
  return static_cast<uint32_t>(both);
}

uint32_t NumpyRandom::below(uint32_t n) {
  assert(n > 0);
  if (n == 1) return 0;
  for (;;) {
    const uint64_t product = uint64_t{next_32()} * n;
    const auto low = static_cast<uint32_t>(product);
    if (low >= n || low >= (0u - n) % n) return static_cast<uint32_t>(product >> 32);
  }
}

}  // namespace heed::metrics
