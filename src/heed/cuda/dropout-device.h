// Dropout's random bits as the CPU draws them (cpu/dropout-inl.h): Philox of seven rounds, 128 channels from 16
// counters.
//
// Channel c of a group of 128 takes 16 bits: those of word (c / 16) mod 4, half c / 64, of the counter whose first
// entry is 16 * group + c mod 16. So one counter serves the eight channels c mod 16 + 16 j of its group: a thread of a
// kernel over rows works on those eight (its unit), and neighbouring threads on neighbouring channels.
#pragma once

#include <cmath>

#include "heed/base/random.h"
#include "heed/core/backend.h"
#include "heed/cuda/device_code.h"

namespace heed::cuda {

inline constexpr int kDropoutRounds = 7;
inline constexpr int kUnitsPerGroup = 16, kUnitChannels = 8, kGroupChannels = kUnitsPerGroup * kUnitChannels;

// Units that `cols` channels take.
HEED_DEVICE int64_t units_of(int64_t cols) { return (cols + kGroupChannels - 1) / kGroupChannels * kUnitsPerGroup; }
// The channel of element j of a unit.
HEED_DEVICE int64_t unit_channel(int64_t unit, int j) {
  return unit / kUnitsPerGroup * kGroupChannels + unit % kUnitsPerGroup + int64_t{kUnitsPerGroup} * j;
}

// The factors of one unit.
struct DropoutFactors {
  PhiloxCounter words;
  uint32_t threshold;
  float keep;
  // 0 with probability `rate`, else 1 / (1 - rate). The words are chosen by selection, for an index would put them in
  // memory.
  HEED_DEVICE float operator[](int j) const {
    const uint32_t low = (j & 1) ? words[1] : words[0], high = (j & 1) ? words[3] : words[2];
    const uint32_t word = (j & 2) ? high : low;
    const uint32_t bits = (j & 4) ? word >> 16 : word & 0xFFFF;
    return bits >= threshold ? keep : 0.0f;
  }
  // Bit j: whether element j is kept.
  HEED_DEVICE uint32_t kept() const {
    uint32_t bits = 0;
#pragma unroll
    for (int j = 0; j < kUnitChannels; ++j) bits |= uint32_t{(*this)[j] != 0.0f} << j;
    return bits;
  }
};

// A Dropout as kernels take it.
struct DropoutSpec {
  PhiloxKey key{};
  uint32_t site = 0, threshold = 0;
  float keep = 1;
  bool active = false;
  const uint32_t* example = nullptr;  // of each row; nullptr: 0
  const int32_t* position = nullptr;  // of each row; nullptr: the row's number

  DropoutSpec() = default;
  explicit DropoutSpec(const Dropout& d)
      : key(philox_key(d.key)),
        site(d.site),
        threshold(static_cast<uint32_t>(std::lround(d.rate * 65536.0f))),
        keep(1.0f / (1.0f - d.rate)),
        active(d.active()),
        example(d.example),
        position(d.position) {}

  HEED_DEVICE DropoutFactors draw(uint32_t counter, uint32_t row_position, uint32_t row_example,
                                  uint32_t at_site) const {
    return {philox<kDropoutRounds>({counter, row_position, row_example, at_site}, key), threshold, keep};
  }
  // The factors of a unit of row r.
  HEED_DEVICE DropoutFactors unit(int64_t r, int64_t unit) const {
    return draw(static_cast<uint32_t>(unit), position ? static_cast<uint32_t>(position[r]) : static_cast<uint32_t>(r),
                example ? example[r] : 0, site);
  }
  // The factors of attention's probabilities of eight queries (those of block query / 8) and one key; the query's is
  // [query % 8]. Queries count from the begin of their sequence.
  HEED_DEVICE DropoutFactors attention(uint32_t row_example, int head, int query_block, int key_place) const {
    return draw(static_cast<uint32_t>(key_place), static_cast<uint32_t>(query_block), row_example,
                site + static_cast<uint32_t>(head));
  }
};

}  // namespace heed::cuda
