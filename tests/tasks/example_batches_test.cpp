#include "heed/tasks/example_batches.h"

#include <gmock/gmock.h>

#include <set>

#include "heed/base/error.h"

namespace heed::tasks {
namespace {

struct Rows final : TrainingBatch {
  std::vector<uint32_t> rows;
  uint64_t epoch = 0;
  int64_t targets() const override { return std::ssize(rows); }
  std::string describe() const override { return describe_examples(rows); }
};

std::unique_ptr<TrainingBatch> make(uint64_t epoch, std::span<const uint32_t> examples) {
  auto batch = std::make_unique<Rows>();
  batch->rows.assign(examples.begin(), examples.end());
  batch->epoch = epoch;
  return batch;
}

std::vector<uint32_t> lengths(uint32_t count) {
  std::vector<uint32_t> result;
  for (uint32_t i = 0; i < count; ++i) result.push_back(1 + i * 7 % 23);
  return result;
}

// The rows of each batch of an epoch.
std::vector<std::vector<uint32_t>> epoch_of(const ExampleBatches& batches, uint64_t epoch) {
  const auto stream = batches.stream({epoch, 0}, 2);
  std::vector<std::vector<uint32_t>> all;
  for (bool last = false; !last;) {
    const StreamedBatch streamed = stream->next();
    const auto& rows = static_cast<const Rows&>(*streamed.batch);
    EXPECT_EQ(rows.epoch, epoch);
    EXPECT_EQ(streamed.cursor, (data::Cursor{epoch, all.size()}));
    all.push_back(rows.rows);
    last = streamed.last_in_epoch;
  }
  EXPECT_EQ(all.size(), batches.count(epoch));
  return all;
}

TEST(ExampleBatches, EachEpochHoldsEveryExampleOnceInAnotherOrder) {
  const ExampleBatches batches(lengths(101), 8, 0, 5, make);
  const auto first = epoch_of(batches, 0), second = epoch_of(batches, 1);
  for (const auto& epoch : {first, second}) {
    std::multiset<uint32_t> seen;
    for (const auto& rows : epoch) {
      EXPECT_LE(rows.size(), 8u);
      seen.insert(rows.begin(), rows.end());
    }
    EXPECT_EQ(seen.size(), 101u);
    EXPECT_EQ(std::set<uint32_t>(seen.begin(), seen.end()).size(), 101u);
  }
  EXPECT_NE(first, second);
  EXPECT_EQ(first, epoch_of(ExampleBatches(lengths(101), 8, 0, 5, make), 0));
  EXPECT_NE(first, epoch_of(ExampleBatches(lengths(101), 8, 0, 6, make), 0));
}

TEST(ExampleBatches, ABudgetOfTokensBoundsThem) {
  const auto tokens = lengths(60);
  const ExampleBatches batches(tokens, 0, 50, 5, make);
  for (const auto& rows : epoch_of(batches, 3)) {
    uint32_t sum = 0;
    for (const uint32_t i : rows) sum += tokens[i];
    EXPECT_LE(sum, 50u);
  }
}

TEST(ExampleBatches, StartsAnywhere) {
  const ExampleBatches batches(lengths(40), 8, 0, 5, make);
  const auto whole = epoch_of(batches, 2);
  const auto stream = batches.stream({2, 3}, 1);
  EXPECT_EQ(static_cast<const Rows&>(*stream->next().batch).rows, whole[3]);
}

TEST(ExampleBatches, RefusesNothing) {
  EXPECT_THROW(ExampleBatches({}, 8, 0, 5, make), UsageError);
  EXPECT_THROW(ExampleBatches(lengths(3), 0, 0, 5, make), UsageError);
}

TEST(ExampleBatches, Describes) {
  std::vector<uint32_t> rows(11);
  EXPECT_EQ(describe_examples(rows), "examples 1 1 1 1 1 1 1 1 and 3 more");
  EXPECT_EQ(describe_examples(std::span(rows).first(2), [](uint32_t i) { return "a:" + std::to_string(i); }),
            "examples a:0 a:0");
}

}  // namespace
}  // namespace heed::tasks
