#include "heed/data/token_blocks.h"

#include <gtest/gtest.h>

#include <set>

#include "heed/base/error.h"

namespace heed::data {
namespace {

TEST(TokenBlocks, EveryEpochPredictsEveryTokenButTheFirstOnce) {
  for (const uint64_t tokens : {2, 3, 7, 8, 9, 16, 17, 63, 64, 65, 66})
    for (const uint32_t block : {1u, 2u, 8u, 64u, 100u}) {
      const TokenBlocks blocks(tokens, block, 3);
      EXPECT_EQ(blocks.count(), (tokens - 1 + block - 1) / block);
      for (uint64_t epoch = 0; epoch < 5; ++epoch) {
        std::vector<int> seen(tokens - 1, 0);
        for (uint64_t i = 0; i < blocks.count(); ++i) {
          uint64_t length = 0;
          for (const auto& part : blocks.parts(epoch, i)) {
            ASSERT_LT(part.begin, part.end);
            ASSERT_LT(part.end, tokens);
            length += part.end - part.begin;
            for (uint64_t t = part.begin; t < part.end; ++t) ++seen[t];
          }
          EXPECT_LE(length, block);
        }
        EXPECT_EQ(seen, std::vector<int>(tokens - 1, 1)) << tokens << " tokens, blocks of " << block;
      }
    }
}

TEST(TokenBlocks, AreCutElsewhereInEachEpochAndForEachSeed) {
  std::set<uint64_t> begins;
  const TokenBlocks blocks(10000, 64, 1);
  for (uint64_t epoch = 0; epoch < 200; ++epoch) {
    EXPECT_EQ(blocks.parts(epoch, 5), TokenBlocks(10000, 64, 1).parts(epoch, 5));
    const uint64_t begin = blocks.parts(epoch, 5).front().begin;
    EXPECT_GE(begin, 5 * 64u);
    EXPECT_LT(begin, 6 * 64u);
    begins.insert(begin);
  }
  EXPECT_GT(begins.size(), 50u);  // of 64 offsets, 200 draws meet about 61
  int same = 0;
  for (uint64_t epoch = 0; epoch < 20; ++epoch)
    same += blocks.parts(epoch, 5) == TokenBlocks(10000, 64, 2).parts(epoch, 5);
  EXPECT_LT(same, 5);
}

TEST(TokenBlocks, RefuseTextWithNothingToPredict) {
  EXPECT_THROW(TokenBlocks(1, 8, 1), DataError);
  EXPECT_THROW(TokenBlocks(0, 8, 1), DataError);
  EXPECT_THROW(TokenBlocks(10, 0, 1), UsageError);
  EXPECT_THROW(TokenBlocks(uint64_t{1} << 33, 1, 1), DataError);
}

}  // namespace
}  // namespace heed::data
