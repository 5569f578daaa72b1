#include "heed/data/masking.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "heed/base/error.h"
#include "tasks/byte_tokenizer.h"

namespace heed::data {
namespace {

constexpr int32_t kMask = 4;

Masking plain(double probability = 0.15) {
  Masking m;
  m.probability = probability;
  m.mask_id = kMask;
  m.vocab_size = 1000;
  m.special = {0, 1, 2, 3, kMask};
  return m;
}

// A text of tokens 10, 11, …, with a special token at both ends.
std::vector<int32_t> text(int tokens) {
  std::vector<int32_t> ids(static_cast<size_t>(tokens) + 2);
  std::iota(ids.begin() + 1, ids.end(), 10);
  ids.front() = 2;
  ids.back() = 3;
  return ids;
}

TEST(Masking, ChoosesTheShareAndSplitsItByEightyTenTen) {
  std::map<std::string, int> counts;
  std::vector<int> chosen_at(102, 0);
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    const std::vector<int32_t> before = text(100);
    std::vector<int32_t> ids = before;
    Random random(seed);
    const std::vector<int32_t> targets = mask_tokens(ids, {}, plain(), random);
    ASSERT_EQ(targets.size(), ids.size());
    int chosen = 0;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (targets[i] < 0) {
        ASSERT_EQ(targets[i], -100);
        ASSERT_EQ(ids[i], before[i]);
        continue;
      }
      ++chosen;
      ++chosen_at[i];
      ASSERT_EQ(targets[i], before[i]);
      ++counts[ids[i] == kMask ? "mask" : ids[i] == before[i] ? "same" : "random"];
      ASSERT_TRUE(ids[i] >= kMask && ids[i] < 1000);
    }
    ASSERT_EQ(chosen, 15);
  }
  // 30,000 draws: deviations of 69, 52, 52.
  EXPECT_NEAR(counts["mask"], 24000, 300);
  EXPECT_NEAR(counts["random"], 3000, 220);
  EXPECT_NEAR(counts["same"], 3000, 220);
  EXPECT_EQ(chosen_at.front() + chosen_at.back(), 0);
  for (size_t i = 1; i <= 100; ++i) EXPECT_NEAR(chosen_at[i], 300, 80) << i;  // a deviation of 16
}

// As Python's round() does for the authors' script and for transformers.
TEST(Masking, HalvesAreRoundedToTheEvenNumber) {
  const std::pair<int, int> counts[] = {{10, 2}, {30, 4}, {50, 8}, {70, 10}};  // 15 %: 1.5, 4.5, 7.5, 10.5
  for (const auto& [tokens, expected] : counts) {
    std::vector<int32_t> ids = text(tokens);
    Random random(7);
    const std::vector<int32_t> targets = mask_tokens(ids, {}, plain(), random);
    EXPECT_EQ(std::count_if(targets.begin(), targets.end(), [](int32_t t) { return t >= 0; }), expected) << tokens;
  }
}

TEST(Masking, IsAFunctionOfTheRandomStream) {
  const auto masked = [](uint64_t seed) {
    std::vector<int32_t> ids = text(40);
    Random random(seed);
    return std::pair(mask_tokens(ids, {}, plain(), random), ids);
  };
  EXPECT_EQ(masked(1), masked(1));
  EXPECT_NE(masked(1), masked(2));
}

TEST(Masking, ChoosesAtLeastOneTokenIfThereIsAny) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    std::vector<int32_t> one = text(1), none = text(0);
    EXPECT_THAT(mask_tokens(one, {}, plain(), random), ::testing::ElementsAre(-100, 10, -100));
    EXPECT_THAT(mask_tokens(none, {}, plain(), random), ::testing::Each(-100));
  }
}

TEST(Masking, ChoosesWordsWhole) {
  // Words of 1, 2 and 3 tokens in turn, 30 tokens in all; a special token ends a word whatever `begins` says.
  std::vector<int32_t> before = text(30);
  std::vector<bool> begins(before.size(), false);
  for (size_t i = 1; i < 31; i += 6) begins[i] = begins[i + 1] = begins[i + 3] = true;
  before[20] = 1;  // within a word of three
  int chosen_in_all = 0;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    std::vector<int32_t> ids = before;
    Random random(seed);
    const std::vector<int32_t> targets = mask_tokens(ids, begins, plain(0.2), random);
    const auto is = [&](size_t i) { return targets[i] >= 0; };
    int chosen = 0;
    for (size_t i = 0; i < ids.size(); ++i) chosen += is(i);
    EXPECT_LE(chosen, 6);
    EXPECT_GE(chosen, 4);  // words of up to three fill six up to two
    chosen_in_all += chosen;
    for (size_t i = 1; i < 31; i += 6) {
      if (i == 19) continue;
      EXPECT_EQ(is(i + 1), is(i + 2));
      EXPECT_EQ(is(i + 3), is(i + 4));
      EXPECT_EQ(is(i + 4), is(i + 5));
    }
    EXPECT_FALSE(is(20));
  }
  EXPECT_GT(chosen_in_all, 2700);
  // A word longer than the share is chosen all the same where there is no shorter one.
  std::vector<int32_t> word = text(5);
  Random random(1);
  EXPECT_THAT(mask_tokens(word, {true, true, false, false, false, false, true}, plain(), random),
              ::testing::ElementsAre(-100, 10, 11, 12, 13, 14, -100));
}

TEST(Masking, NeedsAMaskTokenAndAProbability) {
  EXPECT_THROW(masking_for(testing::ByteTokenizer(), 0.15), ConfigError);
  EXPECT_THROW(masking_for(testing::ByteTokenizer(), 0), UsageError);
  EXPECT_THROW(masking_for(testing::ByteTokenizer(), 1.5), UsageError);
}

}  // namespace
}  // namespace heed::data
