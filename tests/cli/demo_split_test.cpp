#include "heed/cli/demo_split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

std::set<std::string> words_of(const std::vector<SentencePair>& pairs) {
  std::set<std::string> words;
  for (const SentencePair& pair : pairs) {
    std::istringstream text(pair.english + " " + pair.chinese);
    for (std::string word; text >> word;) words.insert(word);
  }
  return words;
}

TEST(DemoSplit, HasTheSizesAskedForAndNoSentenceTwice) {
  const DemoCorpus corpus = make_demo_corpus(7, {});
  EXPECT_EQ(corpus.train.size(), size_t{DemoSizes{}.train});
  EXPECT_EQ(corpus.valid.size(), size_t{DemoSizes{}.valid});
  EXPECT_GE(corpus.test.size(), 1001u);
  std::set<std::string> seen;
  for (const auto* part : {&corpus.train, &corpus.valid, &corpus.test})
    for (const SentencePair& pair : *part) EXPECT_TRUE(seen.insert(pair.english).second) << pair.english;
  EXPECT_GT(seen.size(), 6000u);
}

TEST(DemoSplit, HoldsOutTheFirstSentenceForEverySeed) {
  for (const uint64_t seed : {1u, 2u, 3u, 4u, 5u}) {
    const DemoCorpus corpus = make_demo_corpus(seed, {});
    EXPECT_EQ(corpus.test.front(), (SentencePair{"I am a student", "我 是 一个 学生"}));
    for (const SentencePair& pair : corpus.train) EXPECT_NE(pair.english, "I am a student");
    for (const SentencePair& pair : corpus.valid) EXPECT_NE(pair.english, "I am a student");
  }
}

TEST(DemoSplit, EveryWordOfHeldOutSentencesOccursInTraining) {
  const DemoCorpus corpus = make_demo_corpus(3, {.train = 3000, .valid = 200, .test = 500});
  const std::set<std::string> known = words_of(corpus.train);
  for (const auto* part : {&corpus.valid, &corpus.test})
    for (const std::string& word : words_of(*part)) EXPECT_TRUE(known.contains(word)) << word;
}

TEST(DemoSplit, ASeedRepeats) {
  const DemoSizes small{.train = 2000, .valid = 50, .test = 100};
  const DemoCorpus one = make_demo_corpus(11, small), again = make_demo_corpus(11, small),
                   other = make_demo_corpus(12, small);
  EXPECT_EQ(one.train, again.train);
  EXPECT_EQ(one.valid, again.valid);
  EXPECT_EQ(one.test, again.test);
  EXPECT_NE(one.train, other.train);
}

TEST(DemoSplit, RefusesWhatTheGrammarCannotGive) {
  EXPECT_THROW(make_demo_corpus(1, {.train = 5, .valid = 0, .test = 1000}), UsageError);
  EXPECT_THROW(make_demo_corpus(1, {.train = 0, .valid = 0, .test = 1}), UsageError);
}

TEST(DemoSplit, WritesSixFilesOfPairedLines) {
  const heed::testing::TemporaryFolder folder;
  const DemoCorpus corpus = make_demo_corpus(1, {.train = 2000, .valid = 20, .test = 30});
  write_demo_corpus(corpus, folder / "corpus");
  const auto lines = [&](const std::string& name) {
    std::vector<std::string> found;
    std::istringstream text(read_file(folder / "corpus" / name));
    for (std::string line; std::getline(text, line);) found.push_back(line);
    return found;
  };
  for (const auto& [part, name] :
       {std::pair{&corpus.train, "train"}, {&corpus.valid, "valid"}, {&corpus.test, "test"}}) {
    const auto english = lines(std::string(name) + ".en"), chinese = lines(std::string(name) + ".zh");
    ASSERT_EQ(english.size(), part->size());
    ASSERT_EQ(chinese.size(), part->size());
    for (size_t i = 0; i < part->size(); ++i) EXPECT_EQ((SentencePair{english[i], chinese[i]}), (*part)[i]);
  }
}

}  // namespace
}  // namespace heed::cli
