#include "heed/data/token_blocks.h"

#include <algorithm>
#include <limits>

#include "heed/base/error.h"
#include "heed/data/streams.h"

namespace heed::data {

TokenBlocks::TokenBlocks(uint64_t tokens, uint32_t block, uint64_t seed) : block_(block), seed_(seed) {
  check<UsageError>(block > 0, "--block is 0");
  check<DataError>(tokens >= 2, "the text has {} tokens; at least 2 are needed to predict one from another", tokens);
  places_ = tokens - 1;
  count_ = (places_ + block_ - 1) / block_;
  check<DataError>(count_ <= std::numeric_limits<uint32_t>::max(), "the text has {} blocks of {} tokens, more than {}",
                   count_, block_, std::numeric_limits<uint32_t>::max());
}

std::vector<TokenBlocks::Part> TokenBlocks::parts(uint64_t epoch, uint64_t i) const {
  const uint64_t ring = count_ * block_;
  const uint64_t shift = Random(stream_seed(seed_, Stream::kShiftBlocks), epoch).below(static_cast<uint32_t>(block_));
  const uint64_t begin = i * block_ + shift, end = begin + block_;
  std::vector<Part> parts;
  const auto add = [&](uint64_t from, uint64_t to) {
    if (from < std::min(to, places_)) parts.push_back({from, std::min(to, places_)});
  };
  add(begin, std::min(end, ring));
  if (end > ring) add(0, end - ring);
  return parts;
}

}  // namespace heed::data
