// The random streams of this folder. One seed serves the whole of a training; each kind of draw takes its own key from
// it, so that streams never overlap whatever counters they use.
#pragma once

#include <cstdint>

#include "heed/base/random.h"

namespace heed::data {

enum class Stream : uint32_t {
  kShuffleRows,
  kShuffleBatches,
  kSampleSource,
  kSampleTarget,
  kAugmentation,
  kShiftBlocks,
  kNoise
};

// The seed of one kind of draw: heed::Random(stream_seed(seed, stream), …).
constexpr uint64_t stream_seed(uint64_t seed, Stream stream) {
  constexpr uint32_t kFolder = 0x64617461;  // "data", against the same derivation elsewhere
  const PhiloxCounter words = philox({static_cast<uint32_t>(stream), kFolder, 0, 0}, philox_key(seed));
  return uint64_t{words[1]} << 32 | words[0];
}

}  // namespace heed::data
