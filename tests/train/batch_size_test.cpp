#include "heed/train/batch_size.h"

#include <gtest/gtest.h>

#include <fstream>

#include "heed/base/error.h"
#include "toy_task.h"

namespace heed::train {
namespace {

using testing::ToyTask;

constexpr uint64_t kMiB = uint64_t{1} << 20;

uint64_t memory_now() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6)) * 1024;
  return 0;
}

TEST(FitBatchSize, FindsTheLargestThatFits) {
  const TrainOptions options = testing::toy_training(1);
  uint32_t smaller = 0;
  for (const uint64_t room : {60 * kMiB, 240 * kMiB}) {
    ToyTask task;
    const auto values = task.parameters().values().to_vector<float>();
    const uint64_t limit = memory_now() + room;
    const FittedBatch fitted = fit_batch_size(task, options, limit);
    EXPECT_EQ(fitted.size, task.batches().size());
    EXPECT_LE(fitted.peak, limit);
    EXPECT_GT(fitted.peak, limit - room) << "it has grown";
    EXPECT_FALSE(fitted.whole_data);
    EXPECT_GT(fitted.size, 2 * smaller) << "four times the room";
    smaller = fitted.size;
    EXPECT_EQ(task.parameters().values().to_vector<float>(), values);
  }
}

TEST(FitBatchSize, StopsWhereAnEpochIsOneBatch) {
  testing::ToyOptions toy;
  toy.batches = 1;
  ToyTask task(toy);
  const FittedBatch fitted = fit_batch_size(task, testing::toy_training(1), 64'000 * kMiB);
  EXPECT_TRUE(fitted.whole_data);
  EXPECT_EQ(fitted.size, 8u);
}

TEST(FitBatchSize, SaysThatNothingFits) {
  ToyTask task;
  EXPECT_THROW(fit_batch_size(task, testing::toy_training(1), kMiB), MemoryError);
}

}  // namespace
}  // namespace heed::train
