#include "heed/data/batches.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <thread>

#include "made_files.h"
#include "message_of.h"
#include "word_encoder.h"

namespace heed::data {
namespace {

using heed::testing::message_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Lengths {
  std::vector<uint16_t> source, target;
};

Lengths random_lengths(size_t rows, uint32_t longest) {
  Random random(9);
  Lengths out;
  for (size_t i = 0; i < rows; ++i) {
    out.source.push_back(static_cast<uint16_t>(1 + random.below(longest)));
    out.target.push_back(static_cast<uint16_t>(1 + random.below(longest)));
  }
  return out;
}

using Rows = std::vector<std::vector<uint32_t>>;

Rows rows_of(const BatchPlan& plan) {
  Rows out;
  for (uint64_t k = 0; k < plan.batches(); ++k) out.emplace_back(plan.rows(k).begin(), plan.rows(k).end());
  return out;
}

Rows plan_rows(const Lengths& lengths, const BatchOptions& options, uint64_t epoch = 0) {
  return rows_of(BatchPlan(lengths.source, lengths.target, options, epoch));
}

// Each row exactly once and every limit held, for many shapes of data and options.
TEST(BatchPlan, HoldsEveryRowOnceWithinTheBudget) {
  for (const size_t rows : {1, 2, 7, 1000, 5000}) {
    const Lengths lengths = random_lengths(rows, 60);
    for (const uint32_t max_tokens : {1, 50, 777, 1000000})
      for (const bool count_source : {false, true})
        for (const uint32_t max_rows : {0, 1, 10})
          for (const double growth : {0.0, 1.0, 1.1, 4.0}) {
            const BatchOptions options{3, max_tokens, count_source, max_rows, true, growth};
            std::vector<int> seen(rows, 0);
            for (const auto& batch : plan_rows(lengths, options)) {
              uint64_t tokens = 0;
              for (const uint32_t row : batch) {
                ++seen[row];
                tokens += lengths.target[row] + (count_source ? lengths.source[row] : 0u);
              }
              ASSERT_FALSE(batch.empty());
              ASSERT_TRUE(tokens <= max_tokens || batch.size() == 1);
              if (max_rows) {
                ASSERT_LE(batch.size(), max_rows);
              }
            }
            ASSERT_EQ(seen, std::vector<int>(rows, 1));
          }
  }
}

TEST(BatchPlan, IsAFunctionOfSeedAndEpoch) {
  const Lengths lengths = random_lengths(3000, 50);
  const BatchOptions options{.seed = 11, .max_tokens = 1000};
  const Rows first = plan_rows(lengths, options, 4);
  EXPECT_EQ(first, plan_rows(lengths, options, 4));
  EXPECT_NE(first, plan_rows(lengths, options, 5));
  EXPECT_NE(first, plan_rows(lengths, {.seed = 12, .max_tokens = 1000}, 4));
}

// What rows meet in a batch changes from epoch to epoch, not only the order of batches.
TEST(BatchPlan, BatchesMixAnewInEachEpoch) {
  Lengths lengths = random_lengths(20000, 30);
  for (auto* side : {&lengths.source, &lengths.target})
    for (uint16_t& length : *side) length = static_cast<uint16_t>(length + 20);
  const auto companions = [&](uint64_t epoch) {
    std::set<std::pair<uint32_t, uint32_t>> pairs;
    for (auto batch : plan_rows(lengths, {.max_tokens = 500}, epoch)) {
      std::sort(batch.begin(), batch.end());
      for (size_t i = 0; i < batch.size(); ++i)
        for (size_t j = i + 1; j < batch.size(); ++j) pairs.insert({batch[i], batch[j]});
    }
    return pairs;
  };
  const auto one = companions(0), two = companions(1);
  std::vector<std::pair<uint32_t, uint32_t>> both;
  std::set_intersection(one.begin(), one.end(), two.begin(), two.end(), std::back_inserter(both));
  EXPECT_GT(one.size(), 50000u);
  EXPECT_LT(both.size(), one.size() / 50);
}

TEST(BatchPlan, OrderOfBatchesIsShuffled) {
  const Lengths lengths = random_lengths(20000, 50);
  std::vector<double> longest;
  for (const auto& batch : plan_rows(lengths, {.max_tokens = 2000})) longest.push_back(lengths.target[batch[0]]);
  // Were they left in order of length, neighbours would be nearly alike; shuffled they differ by a third of the range.
  double step = 0;
  for (size_t i = 1; i < longest.size(); ++i) step += std::abs(longest[i] - longest[i - 1]);
  EXPECT_GT(step / static_cast<double>(longest.size()), 8);
}

TEST(BatchPlan, BatchesAreFilledEvenly) {
  const std::vector<uint16_t> tens(101, 10);
  const BatchPlan plan(tens, tens, {.max_tokens = 500}, 0);  // 50 rows fit: 50 + 50 + 1 would leave a scrap
  std::vector<size_t> sizes;
  for (const auto& batch : rows_of(plan)) sizes.push_back(batch.size());
  std::sort(sizes.begin(), sizes.end());
  EXPECT_THAT(sizes, ElementsAre(33, 34, 34));
  EXPECT_EQ(plan.report().smallest_batch, 330u);
  EXPECT_EQ(plan.report().largest_batch, 340u);
}

TEST(BatchPlan, ARowBeyondTheBudgetStandsAlone) {
  const std::vector<uint16_t> lengths = {5, 900, 5, 5};
  const BatchPlan plan(lengths, lengths, {.max_tokens = 20}, 0);
  ASSERT_EQ(plan.batches(), 2u);
  Rows rows = rows_of(plan);
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); });
  EXPECT_THAT(rows[0], ElementsAre(1));
}

TEST(BatchPlan, BucketsBoundThePadding) {
  // One side as long as the other: padding comes from the spread of a bucket alone, and from batches across two.
  Lengths lengths = random_lengths(50000, 100);
  lengths.source = lengths.target;
  const auto padding = [&](double growth) {
    const BatchPlan plan(lengths.source, lengths.target, {.max_tokens = 1000, .bucket_growth = growth}, 0);
    return plan.report().padding_share();
  };
  EXPECT_LT(padding(1), 0.01);
  EXPECT_LT(padding(1.1), 0.06);
  EXPECT_LT(padding(1.5), 0.25);
  EXPECT_GT(padding(1.5), padding(1.1));
  EXPECT_GT(padding(0), 0.4);
}

TEST(BatchPlan, ReportCountsPaddingByHand) {
  const std::vector<uint16_t> source = {4, 2}, target = {3, 5};
  const BatchPlan plan(source, target, {.max_tokens = 100, .bucket_growth = 0}, 0);
  const PlanReport& report = plan.report();
  EXPECT_EQ(report.padded_source_tokens, 8u);
  EXPECT_EQ(report.padded_target_tokens, 10u);
  EXPECT_DOUBLE_EQ(report.padding_share(), 4.0 / 18.0);
  EXPECT_EQ(report.text(),
            "1 batches of 8 to 8 tokens; 2 pairs, 6 source and 8 target tokens; padded to the longest row of a batch "
            "22.2 % would be padding");
  EXPECT_EQ(report.json()["rows"], 2);
  EXPECT_EQ(BatchPlan(source, target, {.count_source = true}, 0).report().largest_batch, 14u);
}

TEST(BatchPlan, BadOptionsAreRefused) {
  const std::vector<uint16_t> lengths = {1}, two = {1, 2};
  const auto reason = [&](const BatchOptions& options) {
    return message_of<UsageError>([&] { BatchPlan(lengths, lengths, options, 0); });
  };
  EXPECT_THAT(reason({.max_tokens = 0}), HasSubstr("max_tokens is 0"));
  EXPECT_THAT(reason({.bucket_growth = 0.9}), HasSubstr("bucket_growth is 0.9"));
  EXPECT_THROW(BatchPlan({}, {}, {}, 0), DataError);
  EXPECT_THROW(BatchPlan(lengths, two, {}, 0), ShapeError);
}

class Multi30k : public ::testing::Test {
 protected:
  static EncodedCorpus encoded(PairEncoders encoders = word_encoders(), uint64_t budget = uint64_t{1} << 30) {
    return {ParallelCorpus::from_files(testing::shared_path("data/multi30k/val.en.gz"),
                                       testing::shared_path("data/multi30k/val.de.gz")),
            std::move(encoders),
            {.seed = 5, .memory_budget = budget}};
  }
};

TEST_F(Multi30k, BatchesHoldEachPairOnceAndAsEncoded) {
  HEED_NEEDS_SHARED("data/multi30k/val.en.gz");
  const EncodedCorpus corpus = encoded();
  const ParallelBatches batches(corpus, {.seed = 5, .max_tokens = 500});
  for (const uint64_t epoch : {0, 1}) {
    std::multiset<uint64_t> lines;
    for (uint64_t k = 0; k < batches.batches(epoch); ++k) {
      const ParallelBatch batch = batches.batch(epoch, k);
      ASSERT_LE(batch.target.ids.size(), 500u);
      ASSERT_EQ(batch.source.rows(), static_cast<int>(batch.lines.size()));
      ASSERT_EQ(batch.target.rows(), batch.source.rows());
      for (int row = 0; row < batch.source.rows(); ++row) {
        const TextPair pair = corpus.text().pair(batch.lines[static_cast<size_t>(row)]);
        ASSERT_THAT(batch.source.row(row), ::testing::ElementsAreArray(encode_words(pair.source)));
        ASSERT_THAT(batch.target.row(row), ::testing::ElementsAreArray(encode_words(pair.target)));
      }
      lines.insert(batch.lines.begin(), batch.lines.end());
    }
    ASSERT_EQ(lines.size(), 1014u);
    EXPECT_EQ(std::set<uint64_t>(lines.begin(), lines.end()).size(), 1014u);
  }
}

TEST_F(Multi30k, AnyOrderOfAskingGivesTheSameBatches) {
  HEED_NEEDS_SHARED("data/multi30k/val.en.gz");
  PairEncoders sampling = word_encoders();
  sampling.sample_source = sampling.sample_target = sample_words;
  const EncodedCorpus corpus = encoded(sampling), on_demand = encoded(sampling, 0);
  const BatchOptions options{.seed = 5, .max_tokens = 700};
  const ParallelBatches forward(corpus, options), backward(on_demand, options);
  std::vector<std::vector<ParallelBatch>> seen;
  for (uint64_t epoch = 0; epoch < 4; ++epoch) {
    seen.emplace_back();
    for (uint64_t k = 0; k < forward.batches(epoch); ++k) seen.back().push_back(forward.batch(epoch, k));
  }
  EXPECT_NE(seen[0], seen[1]);
  for (const uint64_t epoch : {3, 0, 2, 1, 3})
    for (uint64_t k = seen[epoch].size(); k-- > 0;) ASSERT_EQ(backward.batch(epoch, k), seen[epoch][k]);
  std::vector<std::jthread> threads;
  std::atomic<int> wrong{0};
  for (uint64_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (uint64_t k = 0; k < seen[t].size(); ++k) wrong += forward.batch(t, k) != seen[t][k];
    });
  threads.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_THROW(forward.batch(0, seen[0].size()), DataError);
}

TEST_F(Multi30k, PaddingOfTheTrainingTextIsSmall) {
  HEED_NEEDS_SHARED("data/multi30k/train.en.gz");
  const EncodedCorpus corpus(ParallelCorpus::from_files(testing::shared_path("data/multi30k/train.en.gz"),
                                                        testing::shared_path("data/multi30k/train.de.gz")),
                             word_encoders(), {.threads = 2});
  for (const uint32_t tokens : {1000, 4000, 12000}) {
    const BatchPlan plan(corpus.source_lengths(), corpus.target_lengths(), {.max_tokens = tokens}, 0);
    RecordProperty("padding_at_" + std::to_string(tokens), plan.report().text());
    EXPECT_LT(plan.report().padding_share(), 0.10) << plan.report().text();
    EXPECT_GT(plan.report().smallest_batch, tokens * 3 / 4);
  }
}

TEST(Share, ProcessesPartTheBatchRowByRow) {
  const std::vector<uint32_t> batch{7, 3, 9, 1, 4, 8, 2};
  EXPECT_EQ((Share{0, 1}.rows(batch)), batch);
  EXPECT_EQ((Share{1, 3}.rows(batch)), (std::vector<uint32_t>{3, 4}));
  for (const int world : {2, 3, 9}) {
    std::multiset<uint32_t> rows;
    for (int rank = 0; rank < world; ++rank)
      for (const uint32_t row : Share{rank, world}.rows(batch)) rows.insert(row);
    EXPECT_EQ(rows, std::multiset<uint32_t>(batch.begin(), batch.end()));
  }
  EXPECT_EQ((Share{1, 2}.of_all(12)), 24u);
}

}  // namespace
}  // namespace heed::data
