#include "heed/metrics/ngrams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <set>

#include "heed/base/random.h"

namespace heed::metrics {
namespace {

using Counts = std::vector<uint32_t>;

// What visit_shared_ngrams reports, as order -> sorted list of counts per sequence.
std::map<int, std::multiset<Counts>> visited(const std::vector<Symbols>& sequences, int max_order) {
  std::map<int, std::multiset<Counts>> result;
  visit_shared_ngrams(sequences, max_order, [&](int order, std::span<const uint32_t> counts) {
    result[order].insert(Counts(counts.begin(), counts.end()));
  });
  return result;
}

// The same by a map from n-grams.
std::map<int, std::multiset<Counts>> counted(const std::vector<Symbols>& sequences, int max_order) {
  std::map<int, std::multiset<Counts>> result;
  for (int order = 1; order <= max_order; ++order) {
    std::map<Symbols, Counts> table;
    for (size_t s = 0; s < sequences.size(); ++s)
      for (size_t i = 0; i + static_cast<size_t>(order) <= sequences[s].size(); ++i) {
        const auto begin = sequences[s].begin() + static_cast<std::ptrdiff_t>(i);
        Counts& counts = table[Symbols(begin, begin + order)];
        counts.resize(sequences.size());
        ++counts[s];
      }
    for (const auto& [ngram, counts] : table)
      if (counts[0] > 0 && std::accumulate(counts.begin() + 1, counts.end(), 0u) > 0) result[order].insert(counts);
  }
  return result;
}

TEST(Ngrams, CountsByHand) {
  // 7 8 7 8 against 8 7 8: 7 and 8 twice each against once and twice; 7 8 twice, once; 8 7 once, once.
  const auto result = visited({{7, 8, 7, 8}, {8, 7, 8}}, 9);
  const std::map<int, std::multiset<Counts>> expected = {{1, {{2, 1}, {2, 2}}}, {2, {{2, 1}, {1, 1}}}, {3, {{1, 1}}}};
  EXPECT_EQ(result, expected);
  EXPECT_TRUE(visited({{}, {}}, 4).empty());
}

TEST(Ngrams, EqualATable) {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<Symbols> sequences(1 + random.below(4));
    for (Symbols& sequence : sequences) {
      sequence.resize(random.below(20));
      // Few symbols, so that n-grams repeat, from both ends of the range.
      for (uint32_t& symbol : sequence) symbol = random.below(3) - 1;
    }
    EXPECT_EQ(visited(sequences, 6), counted(sequences, 6));
  }
}

TEST(Ngrams, NumberWordsAlike) {
  const std::vector<Symbols> numbers = number_words({{"b", "a", "b"}, {}, {"c", "b", "ab"}});
  EXPECT_THAT(numbers, ::testing::ElementsAre(Symbols{2, 0, 2}, Symbols{}, Symbols{3, 2, 1}));
}

TEST(Ngrams, Totals) {
  EXPECT_EQ(ngram_total(5, 2), 4);
  EXPECT_EQ(ngram_total(2, 2), 1);
  EXPECT_EQ(ngram_total(1, 2), 0);
  EXPECT_EQ(ngram_total(0, 4), 0);
}

}  // namespace
}  // namespace heed::metrics
