#include "heed/data/streams.h"

#include <gtest/gtest.h>

#include <set>

namespace heed::data {
namespace {

TEST(Streams, EachKindOfDrawHasItsOwnSeed) {
  std::set<uint64_t> seeds;
  for (const uint64_t seed : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32})
    for (const Stream stream :
         {Stream::kShuffleRows, Stream::kShuffleBatches, Stream::kSampleSource, Stream::kSampleTarget})
      seeds.insert(stream_seed(seed, stream));
  EXPECT_EQ(seeds.size(), 12u);
  EXPECT_FALSE(seeds.contains(0) || seeds.contains(1));
}

// A resumed training must meet the batches it would have met: the derivation may not change between versions.
TEST(Streams, StayAsTheyWere) {
  EXPECT_EQ(stream_seed(1, Stream::kShuffleRows), 0x6272e0c1b13ba7b9u);
  EXPECT_EQ(stream_seed(7, Stream::kSampleTarget), 0x394f5e8d84091d69u);
}

}  // namespace
}  // namespace heed::data
