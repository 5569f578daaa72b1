#include "heed/data/encoded_corpus.h"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <set>
#include <thread>

#include "made_files.h"
#include "message_of.h"
#include "word_encoder.h"

namespace heed::data {
namespace {

using heed::testing::message_of;
using heed::testing::put;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

ParallelCorpus corpus_of(const testing::TemporaryFolder& folder, const std::string& tsv) {
  return ParallelCorpus::from_tsv(put(folder, "x.tsv", tsv), {.scratch = folder.path()});
}

// 5,000 pairs of 0 to 29 words, ids up to a million.
std::string varied_tsv() {
  Random random(5);
  std::string out;
  for (int i = 0; i < 5000; ++i) {
    for (const char* end : {"\t", "\n"}) {
      const uint32_t words = random.below(30);
      for (uint32_t w = 0; w < words; ++w)
        out += fmt::format("{}{}", w ? " " : "", 1 + random.below(1 << random.below(20)));
      out += end;
    }
  }
  return out;
}

TEST(EncodedCorpus, FiltersByTheEncodedLengths) {
  testing::TemporaryFolder folder;
  const std::string tsv =
      "1 2\t3\n"
      "\t4\n"
      "5\t \n"
      "\t\n"
      "1 2 3 4 5\t1 2 3 4\n"
      "1\t1 2 3\n"
      "6\t7 8\n";
  const EncodedCorpus corpus(corpus_of(folder, tsv), word_encoders(),
                             {.filter = {.max_source_tokens = 5, .max_target_tokens = 5, .max_length_ratio = 2}});
  EXPECT_EQ(corpus.report(), (FilterReport{.pairs = 7,
                                           .kept = 2,
                                           .empty_source = 1,
                                           .empty_target = 1,
                                           .empty_both = 1,
                                           .too_long = 1,
                                           .ratio = 1,
                                           .source_tokens = 5,
                                           .target_tokens = 5,
                                           .longest_source = 3,
                                           .longest_target = 3}));
  ASSERT_EQ(corpus.size(), 2u);
  EXPECT_EQ(corpus.line(0), 0u);
  EXPECT_EQ(corpus.line(1), 6u);
  EXPECT_THAT(corpus.source_lengths(), ElementsAre(3, 2));
  EXPECT_THAT(corpus.target_lengths(), ElementsAre(2, 3));
  EXPECT_EQ(corpus.pair(1, 0), (EncodedPair{{6, 0}, {7, 8, 0}}));
}

TEST(EncodedCorpus, CroppingKeepsTheEndMark) {
  testing::TemporaryFolder folder;
  for (const uint64_t budget : {0, 1000000}) {
    const EncodedCorpus corpus(corpus_of(folder, "1 2 3 4 5\t6 7 8\n"), word_encoders(),
                               {.filter = {.max_source_tokens = 4, .max_target_tokens = 3, .too_long = TooLong::kCrop},
                                .memory_budget = budget});
    EXPECT_EQ(corpus.pair(0, 0), (EncodedPair{{1, 2, 3, 0}, {6, 7, 0}}));
    EXPECT_EQ(corpus.report().cropped, 1u);
    EXPECT_EQ(corpus.in_memory(), budget > 0);
  }
}

TEST(EncodedCorpus, ThreadsAndBudgetChangeNothing) {
  testing::TemporaryFolder folder;
  const std::string tsv = varied_tsv();
  const FilterOptions filter{.max_source_tokens = 25, .max_target_tokens = 28, .max_length_ratio = 3};
  const EncodedCorpus reference(corpus_of(folder, tsv), word_encoders(), {.filter = filter});
  EXPECT_TRUE(reference.in_memory());
  EXPECT_GT(reference.report().too_long, 100u);
  EXPECT_GT(reference.report().ratio, 100u);
  const ParallelCorpus text = corpus_of(folder, tsv);
  for (uint64_t i = 0; i < reference.size(); ++i) {
    const TextPair pair = text.pair(reference.line(i));
    ASSERT_EQ(reference.pair(i, 0), (EncodedPair{encode_words(pair.source), encode_words(pair.target)}));
    ASSERT_EQ(reference.source_lengths()[i], reference.pair(i, 0).source.size());
    ASSERT_EQ(reference.target_lengths()[i], reference.pair(i, 0).target.size());
  }
  for (const int threads : {1, 4}) {
    for (const uint64_t budget : {uint64_t{0}, uint64_t{50000}, uint64_t{1} << 30}) {
      const EncodedCorpus other(corpus_of(folder, tsv), word_encoders(),
                                {.filter = filter, .threads = threads, .memory_budget = budget});
      EXPECT_EQ(other.in_memory(), budget > 50000);
      EXPECT_EQ(other.report(), reference.report());
      ASSERT_EQ(other.size(), reference.size());
      for (uint64_t i = 0; i < other.size(); ++i) {
        ASSERT_EQ(other.line(i), reference.line(i));
        ASSERT_EQ(other.pair(i, 0), reference.pair(i, 0));
      }
    }
  }
}

TEST(EncodedCorpus, TheBudgetIsHeldToTheByte) {
  testing::TemporaryFolder folder;
  // Two pairs of ids 1 and 200 (1 and 2 bytes) and end marks (1 byte), and 4 bytes of offset each.
  const std::string tsv = "1\t200\n1\t200\n";
  const uint64_t bytes = 2 * (1 + 1 + 2 + 1 + 4);
  const auto in_memory = [&](uint64_t budget) {
    return EncodedCorpus(corpus_of(folder, tsv), word_encoders(), {.memory_budget = budget}).in_memory();
  };
  EXPECT_TRUE(in_memory(bytes));
  EXPECT_FALSE(in_memory(bytes - 1));
}

TEST(EncodedCorpus, SamplingIsAFunctionOfSeedEpochAndLine) {
  testing::TemporaryFolder folder;
  std::string tsv;
  for (int i = 0; i < 300; ++i) tsv += i % 3 ? "1 2 3 4 5 6 7 8\t9 10 11 12 13\n" : "\tdropped\n";
  PairEncoders encoders = word_encoders();
  encoders.sample_source = encoders.sample_target = sample_words;
  const auto make = [&](uint64_t seed, uint64_t budget) {
    return EncodedCorpus(corpus_of(folder, tsv), encoders, {.seed = seed, .memory_budget = budget});
  };
  const EncodedCorpus corpus = make(7, 1 << 20), again = make(7, 0), other = make(8, 0);
  ASSERT_EQ(corpus.size(), 200u);
  std::set<std::vector<int32_t>> sources, epochs;
  int differ = 0;
  for (uint64_t i = corpus.size(); i-- > 0;) {
    const EncodedPair pair = corpus.pair(i, 3);
    ASSERT_EQ(pair, corpus.pair(i, 3));
    ASSERT_EQ(pair, again.pair(i, 3));
    sources.insert(pair.source);
    epochs.insert(corpus.pair(5, i).source);
    differ += pair != other.pair(i, 3);
    // The line, not the position, is what counts, and each side has its own stream.
    Random source_random(stream_seed(7, Stream::kSampleSource), corpus.line(i), 3);
    ASSERT_EQ(pair.source, sample_words("1 2 3 4 5 6 7 8", source_random));
    Random target_random(stream_seed(7, Stream::kSampleTarget), corpus.line(i), 3);
    ASSERT_EQ(pair.target, sample_words("9 10 11 12 13", target_random));
  }
  EXPECT_GT(sources.size(), 100u);
  EXPECT_GT(epochs.size(), 100u);
  EXPECT_GT(differ, 190);
  EXPECT_EQ(corpus.source_lengths()[0], 9);  // the plan goes by the unsampled lengths
}

TEST(EncodedCorpus, ASampledSideThatIsTooLongGivesWay) {
  testing::TemporaryFolder folder;
  PairEncoders encoders = word_encoders();
  encoders.sample_source = [](std::string_view, Random&) { return std::vector<int32_t>(6, 9); };
  for (const uint64_t budget : {0, 1000}) {
    const auto source = [&](uint32_t limit) {
      return EncodedCorpus(corpus_of(folder, "1 2\t3\n"), encoders,
                           {.filter = {.max_source_tokens = limit}, .memory_budget = budget})
          .pair(0, 0);
    };
    EXPECT_EQ(source(6), (EncodedPair{{9, 9, 9, 9, 9, 9}, {3, 0}}));
    EXPECT_EQ(source(5), (EncodedPair{{1, 2, 0}, {3, 0}}));
  }
}

TEST(EncodedCorpus, ErrorsNameTheFirstBadLine) {
  testing::TemporaryFolder folder;
  std::string tsv;
  for (int i = 1; i <= 6000; ++i) tsv += i == 2500 || i == 5500 ? fmt::format("-{}\t1\n", i) : "1\t1\n";
  // Both are met, on two threads; then either may be the first to fail.
  for (const int late : {2500, 5500}) {
    std::latch both(2);
    PairEncoders encoders = word_encoders();
    encoders.source = [&](std::string_view text) {
      if (text.starts_with('-')) both.arrive_and_wait();
      if (text == fmt::format("-{}", late)) std::this_thread::sleep_for(std::chrono::milliseconds(50));
      return encode_words(text);
    };
    EXPECT_EQ(message_of<DataError>([&] { EncodedCorpus(corpus_of(folder, tsv), encoders, {.threads = 6}); }),
              "line 2500: its encoding holds the id -2500");
  }
  EXPECT_THAT(message_of<DataError>([&] { EncodedCorpus(corpus_of(folder, "\ta\n"), word_encoders(), {}); }),
              HasSubstr("no pair is left to use: 0 of 1 pairs are used; dropped: 1 with an empty source"));
  EXPECT_THAT(
      message_of<UsageError>([&] { EncodedCorpus(corpus_of(folder, "1\t1\n"), word_encoders(), {.threads = 0}); }),
      HasSubstr("threads is 0"));
}

TEST(EncodedCorpus, ThreadsReadTogether) {
  testing::TemporaryFolder folder;
  PairEncoders encoders = word_encoders();
  encoders.sample_source = sample_words;
  const EncodedCorpus corpus(corpus_of(folder, varied_tsv()), encoders, {.threads = 3});
  std::vector<EncodedPair> alone;
  for (uint64_t i = 0; i < corpus.size(); ++i) alone.push_back(corpus.pair(i, 1));
  std::atomic<int> wrong{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      for (uint64_t i = 0; i < corpus.size(); ++i) wrong += corpus.pair(i, 1) != alone[i];
    });
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace heed::data
