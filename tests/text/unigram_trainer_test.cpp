// Unigram vocabularies learnt from words.
#include "heed/text/unigram_trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace heed::text {
namespace {

std::map<std::string, double> learnt(const std::vector<WordCount>& words, const UnigramTrainOptions& options) {
  const auto pieces = train_unigram(words, options);
  return {pieces.begin(), pieces.end()};
}

TEST(UnigramTrainer, FrequentWordsBecomePieces) {
  const std::vector<WordCount> words = {{"lower", 50}, {"lowest", 40}, {"newer", 60}, {"widest", 30}, {"x", 1}};
  UnigramTrainOptions options;
  options.vocab_size = 15;
  const auto pieces = learnt(words, options);
  EXPECT_EQ(pieces.size(), 15u);
  for (const char* character : {"l", "o", "w", "e", "r", "s", "t", "n", "i", "d", "x"})
    EXPECT_TRUE(pieces.contains(character));
  EXPECT_TRUE(pieces.contains("newer"));
  EXPECT_TRUE(pieces.contains("lower"));
}

TEST(UnigramTrainer, ProbabilitiesSumToAboutOne) {
  const std::vector<WordCount> words = {{"ab", 500}, {"abab", 300}, {"ba", 200}};
  double sum = 0;
  for (const auto& [piece, score] : train_unigram(words, {})) {
    EXPECT_LT(score, 0) << piece;
    sum += std::exp(score);
  }
  EXPECT_NEAR(sum, 1, 0.02);
}

TEST(UnigramTrainer, IsDeterministicAndKeepsToTheLimits) {
  std::vector<WordCount> words;
  for (int i = 0; i < 2000; ++i) words.emplace_back("w" + std::to_string(100000 + i * i % 7919), 1 + i % 7);
  std::sort(words.begin(), words.end());
  UnigramTrainOptions options;
  options.vocab_size = 300;
  options.max_piece_length = 4;
  const auto first = train_unigram(words, options);
  EXPECT_EQ(first, train_unigram(words, options));
  EXPECT_EQ(first.size(), 300u);
  for (const auto& entry : first) EXPECT_LE(entry.first.size(), 4u);
  options.limit_alphabet = 5;
  size_t characters = 0;
  for (const auto& entry : train_unigram(words, options)) characters += entry.first.size() == 1;
  EXPECT_EQ(characters, 5u);
  EXPECT_TRUE(train_unigram({}, options).empty());
}

}  // namespace
}  // namespace heed::text
