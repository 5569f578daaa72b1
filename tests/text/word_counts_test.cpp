// Counting words in bounded memory.
#include "heed/text/word_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heed::text {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(WordCounts, CountsAndSorts) {
  WordCounts counts;
  for (const char* word : {"b", "a", "b", "\xC3\xA4", "b"}) counts.add(word);
  counts.add("a", 5);
  EXPECT_THAT(counts.sorted(), ElementsAre(Pair("a", 6), Pair("b", 3), Pair("\xC3\xA4", 1)));
  counts.add(std::string(WordCounts::kLongestWord + 1, 'x'), 2);
  EXPECT_EQ(counts.sorted().size(), 3u);
  EXPECT_EQ(counts.too_long(), 2u);
  EXPECT_EQ(counts.forgotten(), 0u);
}

TEST(WordCounts, ForgetsTheRarestWhenItIsFull) {
  WordCounts counts(100000);
  for (int i = 0; i < 100; ++i) counts.add("frequent" + std::to_string(i), 1000);
  for (int i = 0; i < 20000; ++i) counts.add("rare" + std::to_string(i));
  const auto words = counts.sorted();
  EXPECT_LT(words.size(), 1300u);
  EXPECT_GT(counts.forgotten(), 15000u);
  uint64_t sum = counts.forgotten(), frequent = 0;
  for (const auto& [word, count] : words) {
    sum += count;
    frequent += word.starts_with("frequent");
  }
  EXPECT_EQ(sum, 120000u);
  EXPECT_EQ(frequent, 100u);
}

}  // namespace
}  // namespace heed::text
