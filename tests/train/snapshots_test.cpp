#include "heed/train/snapshots.h"

#include <gtest/gtest.h>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "shared_files.h"

namespace heed::train {
namespace {

TEST(Snapshots, MeanOfTheStepsAskedFor) {
  testing::TemporaryFolder folder;
  const Snapshots snapshots(folder / "snapshots");
  const Shape shape{3};
  for (int64_t step = 1; step <= 4; ++step)
    snapshots.write(step, Tensor::full(shape, static_cast<double>(step * step)));  // 1 4 9 16
  EXPECT_EQ(snapshots.mean({2, 3, 4}, shape).to_vector<float>(), (std::vector<float>(3, 29.0f / 3)));
  EXPECT_EQ(snapshots.mean({1}, shape).to_vector<float>(), (std::vector<float>(3, 1)));
  snapshots.write(4, Tensor::full(shape, 0));  // written again
  EXPECT_EQ(snapshots.mean({1, 4}, shape).to_vector<float>(), (std::vector<float>(3, 0.5f)));
}

TEST(Snapshots, WhatIsMissingDamagedOrOfAnotherModelIsLeftOut) {
  testing::TemporaryFolder folder;
  const Snapshots snapshots(folder.path());
  snapshots.write(1, Tensor::full({3}, 1));
  snapshots.write(2, Tensor::full({3}, 2));
  snapshots.write(3, Tensor::full({4}, 3));
  write_file_atomically(folder / "step-000002.safetensors", "torn");
  EXPECT_EQ(snapshots.mean({1, 2, 3, 7}, {3}).to_vector<float>(), (std::vector<float>(3, 1)));
  EXPECT_FALSE(snapshots.mean({2, 3}, {3}).defined());
  EXPECT_FALSE(snapshots.mean({}, {3}).defined());
}

TEST(Snapshots, PruneDeletesOldOnesAlone) {
  testing::TemporaryFolder folder;
  const Snapshots snapshots(folder.path());
  for (const int64_t step : {5, 10, 1000000, 15}) snapshots.write(step, Tensor::full({1}, 1));
  write_file_atomically(folder / "step-notes.txt", "mine");
  snapshots.prune(10);
  EXPECT_FALSE(std::filesystem::exists(folder / "step-000005.safetensors"));
  for (const char* name :
       {"step-000010.safetensors", "step-000015.safetensors", "step-1000000.safetensors", "step-notes.txt"})
    EXPECT_TRUE(std::filesystem::exists(folder / name)) << name;
}

TEST(Snapshots, AFolderThatCannotBeMadeIsAnIoError) {
  EXPECT_THROW(Snapshots("/proc/nowhere").write(1, Tensor::full({1}, 1)), IoError);
}

}  // namespace
}  // namespace heed::train
