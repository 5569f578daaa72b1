// Dropout's random bits, drawn by Philox (seven rounds) from a counter, 128 channels at a time.
//
// Channel c of a group of 128 takes 16 bits: those of word (c / 16) mod 4, half c / 64, of the counter whose first
// entry is 16 * group + c mod 16. The layout is that of the lanes of a vector, so no bits are shuffled, and it does not
// depend on the vector's width.
#if defined(HEED_CPU_DROPOUT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HEED_CPU_DROPOUT_INL_H_
#undef HEED_CPU_DROPOUT_INL_H_
#else
#define HEED_CPU_DROPOUT_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "heed/base/random.h"
#include "heed/core/backend.h"

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr int64_t kDropoutGroup = 128;
inline constexpr int kDropoutRounds = 7;

// The factors of one row: 0 with probability `rate`, else 1 / (1 - rate).
class DropoutRow {
 public:
  DropoutRow(const Dropout& dropout, uint32_t example, uint32_t position, uint32_t site_offset = 0)
      : key_(philox_key(dropout.key)),
        counter_{0, position, example, dropout.site + site_offset},
        threshold_(static_cast<uint32_t>(std::lround(dropout.rate * 65536.0f))),
        keep_(1.0f / (1.0f - dropout.rate)) {}

  // Fills out[0, 128) with the factors of the channels [128 group, 128 group + 128).
  HWY_INLINE void group(int64_t group, float* HWY_RESTRICT out) const {
#if HWY_TARGET == HWY_SCALAR
    for (int64_t lane = 0; lane < 16; ++lane) {
      PhiloxCounter counter = counter_;
      counter[0] = static_cast<uint32_t>(16 * group + lane);
      const PhiloxCounter words = philox<kDropoutRounds>(counter, key_);
      for (int64_t w = 0; w < 4; ++w) {
        out[16 * w + lane] = (words[static_cast<size_t>(w)] & 0xFFFF) >= threshold_ ? keep_ : 0;
        out[64 + 16 * w + lane] = words[static_cast<size_t>(w)] >> 16 >= threshold_ ? keep_ : 0;
      }
    }
#else
    using DU = hn::CappedTag<uint32_t, 16>;
    using VU = hn::Vec<DU>;
    const DU d;
    const hn::RebindToFloat<DU> df;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    const hn::RebindToSigned<DU> di;  // 16-bit values compare alike with and without sign
    const auto below = hn::Set(di, static_cast<int32_t>(threshold_) - 1);
    const VU low_mask = hn::Set(d, 0xFFFF);
    const auto keep = hn::Set(df, keep_);
    for (int64_t lane = 0; lane < 16; lane += lanes) {
      VU c0 = hn::Iota(d, static_cast<uint32_t>(16 * group + lane));
      VU c1 = hn::Set(d, counter_[1]), c2 = hn::Set(d, counter_[2]), c3 = hn::Set(d, counter_[3]);
      rounds(c0, c1, c2, c3);
      const VU words[4] = {c0, c1, c2, c3};
#pragma GCC unroll 4
      for (int w = 0; w < 4; ++w) {
        const auto low = hn::Gt(hn::BitCast(di, hn::And(words[w], low_mask)), below);
        const auto high = hn::Gt(hn::BitCast(di, hn::ShiftRight<16>(words[w])), below);
        hn::StoreU(hn::IfThenElseZero(hn::RebindMask(df, low), keep), df, out + 16 * w + lane);
        hn::StoreU(hn::IfThenElseZero(hn::RebindMask(df, high), keep), df, out + 64 + 16 * w + lane);
      }
    }
#endif
  }

 private:
#if HWY_TARGET != HWY_SCALAR
  // High and low halves of the 64-bit products of all lanes with one constant.
  template <class DU, class VU>
  static HWY_INLINE void multiply(DU d, VU x, uint32_t factor, VU& high, VU& low) {
    const VU m = hn::Set(d, factor);
    const hn::RepartitionToWide<DU> d64;
    const VU even = hn::BitCast(d, hn::MulEven(x, m));
    const VU odd = hn::BitCast(d, hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(d64, x))), m));
    high = hn::OddEven(odd, hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(d64, even))));
    low = hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(hn::BitCast(d64, odd))), even);
  }

  template <class VU>
  HWY_INLINE void rounds(VU& c0, VU& c1, VU& c2, VU& c3) const {
    const hn::DFromV<VU> d;
    PhiloxKey key = key_;
#pragma GCC unroll 7
    for (int round = 0; round < kDropoutRounds; ++round) {
      VU high0, low0, high1, low1;
      multiply(d, c0, kPhiloxM0, high0, low0);
      multiply(d, c2, kPhiloxM1, high1, low1);
      c0 = hn::Xor(hn::Xor(high1, c1), hn::Set(d, key[0]));
      c1 = low1;
      c2 = hn::Xor(hn::Xor(high0, c3), hn::Set(d, key[1]));
      c3 = low0;
      key = {key[0] + kPhiloxW0, key[1] + kPhiloxW1};
    }
  }

#endif

  PhiloxKey key_;
  PhiloxCounter counter_;
  uint32_t threshold_;
  float keep_;
};

// The row r of a dropout over token rows.
HWY_INLINE DropoutRow dropout_row(const Dropout& dropout, int64_t r) {
  return DropoutRow(dropout, dropout.example ? dropout.example[r] : 0,
                    dropout.position ? static_cast<uint32_t>(dropout.position[r]) : static_cast<uint32_t>(r));
}

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
