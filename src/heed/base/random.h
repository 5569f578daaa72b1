// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011).
//
// A number is a pure function of (key, counter), so any thread, process or resumed run draws the same one, and nothing
// has to be stored. Thread-safe: there is no state but what the caller holds.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>

namespace heed {

using PhiloxCounter = std::array<uint32_t, 4>;
using PhiloxKey = std::array<uint32_t, 2>;

inline constexpr uint32_t kPhiloxM0 = 0xD2511F53, kPhiloxM1 = 0xCD9E8D57;
inline constexpr uint32_t kPhiloxW0 = 0x9E3779B9, kPhiloxW1 = 0xBB67AE85;
inline constexpr int kPhiloxRounds = 10;

// Four random words for one counter. Ten rounds are the authors' choice; seven already pass all of BigCrush (their
// section 5.1).
template <int kRounds = kPhiloxRounds>
constexpr PhiloxCounter philox(PhiloxCounter c, PhiloxKey k) {
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t p0 = uint64_t{kPhiloxM0} * c[0], p1 = uint64_t{kPhiloxM1} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(p0)};
    k = {k[0] + kPhiloxW0, k[1] + kPhiloxW1};
  }
  return c;
}

constexpr PhiloxKey philox_key(uint64_t seed) {
  return {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
}

// A stream of random numbers: draw n of stream (seed, a, b) is a pure function of those. Cheap to construct anywhere.
class Random {
 public:
  using result_type = uint32_t;

  explicit Random(uint64_t seed, uint64_t a = 0, uint32_t b = 0)
      : key_(philox_key(seed)), counter_{0, b, static_cast<uint32_t>(a), static_cast<uint32_t>(a >> 32)} {}

  static constexpr uint32_t min() { return 0; }
  static constexpr uint32_t max() { return 0xFFFFFFFF; }

  uint32_t operator()() {
    if (used_ == 4) {
      words_ = philox(counter_, key_);
      ++counter_[0];
      used_ = 0;
    }
    return words_[used_++];
  }

  // Uniform in [0, 1), 53 random bits.
  double uniform() {
    const uint64_t high = (*this)() >> 5, low = (*this)() >> 6;
    return static_cast<double>(high * 67108864 + low) / 9007199254740992.0;
  }

  // Uniform in [0, n), n > 0, without bias (Lemire's multiplication with rejection).
  uint32_t below(uint32_t n) {
    for (;;) {
      const uint64_t product = uint64_t{(*this)()} * n;
      const auto low = static_cast<uint32_t>(product);
      if (low >= n || low >= (0u - n) % n) return static_cast<uint32_t>(product >> 32);
    }
  }

  // Standard normal, by Box and Muller.
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

  // Fisher-Yates; the same on every platform, unlike std::shuffle.
  template <class Sequence>
  void shuffle(Sequence& items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(static_cast<uint32_t>(i))]);
  }

 private:
  PhiloxKey key_;
  PhiloxCounter counter_;
  PhiloxCounter words_{};
  int used_ = 4;
};

}  // namespace heed
