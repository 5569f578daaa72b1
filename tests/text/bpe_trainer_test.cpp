// Byte pair encoding learnt from words, against merges worked out by hand.
#include "heed/text/bpe_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heed::text {
namespace {

using ::testing::ElementsAre;

// The merges as texts, "a b".
std::vector<std::string> merges_of(const BpeVocabulary& vocabulary) {
  std::vector<std::string> out;
  for (const auto& [left, right] : vocabulary.merges)
    out.push_back(vocabulary.tokens[left] + " " + vocabulary.tokens[right]);
  return out;
}

TEST(BpeTrainer, MergesTheMostFrequentPairFirst) {
  // Pairs: b c 8, a b 6, c d 2; then ab c 6.
  const std::vector<WordCount> words = {{"abc", 6}, {"bcd", 2}};
  BpeTrainOptions options;
  options.special_tokens = {"<s>"};
  const BpeVocabulary learnt = train_bpe(words, options);
  EXPECT_THAT(merges_of(learnt), ElementsAre("b c", "a bc", "bc d"));
  EXPECT_THAT(learnt.tokens, ElementsAre("<s>", "a", "b", "c", "d", "bc", "abc", "bcd"));
}

TEST(BpeTrainer, AmongEqualsTheLowerIdsComeFirst) {
  const std::vector<WordCount> words = {{"ab", 3}, {"ac", 3}, {"ba", 3}};
  EXPECT_THAT(merges_of(train_bpe(words, {})), ElementsAre("a b", "a c", "b a"));
}

TEST(BpeTrainer, StopsAtTheSizeOrTheFrequency) {
  const std::vector<WordCount> words = {{"abcd", 5}, {"xy", 1}};
  BpeTrainOptions options;
  options.vocab_size = 8;
  EXPECT_THAT(merges_of(train_bpe(words, options)), ElementsAre("a b", "c d"));
  options.vocab_size = 100;
  EXPECT_THAT(merges_of(train_bpe(words, options)), ElementsAre("a b", "c d", "ab cd"));
  options.min_frequency = 1;
  EXPECT_THAT(merges_of(train_bpe(words, options)), ElementsAre("a b", "c d", "ab cd", "x y"));
}

TEST(BpeTrainer, OverlappingPairsMergeFromTheLeft) {
  const std::vector<WordCount> words = {{"aaaaa", 2}};
  EXPECT_THAT(merges_of(train_bpe(words, {})), ElementsAre("a a", "aa a", "aa aaa"));
}

TEST(BpeTrainer, ContinuationsHaveTheirMark) {
  const std::vector<WordCount> words = {{"abab", 4}, {"ba", 1}};
  BpeTrainOptions options;
  options.continuing_prefix = "##";
  const BpeVocabulary learnt = train_bpe(words, options);
  EXPECT_THAT(merges_of(learnt), ElementsAre("a ##b", "##a ##b", "ab ##ab"));
  EXPECT_THAT(learnt.tokens, ElementsAre("a", "b", "##a", "##b", "ab", "##ab", "abab"));
}

TEST(BpeTrainer, TheAlphabetCanBeLimitedAndGiven) {
  const std::vector<WordCount> words = {{"äbc", 3}, {"bcc", 2}};
  EXPECT_EQ(train_alphabet(words, 0, U""), U"bc\u00E4");
  EXPECT_EQ(train_alphabet(words, 2, U""), U"bc");
  EXPECT_EQ(train_alphabet(words, 2, U"z"), U"cz");
  BpeTrainOptions options;
  options.limit_alphabet = 2;
  EXPECT_THAT(train_bpe(words, options).tokens, ElementsAre("b", "c", "bc", "bcc"));
}

}  // namespace
}  // namespace heed::text
