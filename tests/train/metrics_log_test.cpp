#include "heed/train/metrics_log.h"

#include <gtest/gtest.h>

#include <fstream>

#include "heed/base/files.h"
#include "shared_files.h"

namespace heed::train {
namespace {

TEST(MetricsLog, AppendsOneLineARecord) {
  testing::TemporaryFolder folder;
  const auto file = folder / "metrics.jsonl";
  {
    MetricsLog log(file, 0);
    log.write({{"step", 1}, {"loss", 2.5}});
    log.write({{"step", 2}, {"text", "a\nb"}});
  }
  MetricsLog(file, 2).write({{"step", 3}});
  EXPECT_EQ(read_file(file), "{\"step\":1,\"loss\":2.5}\n{\"step\":2,\"text\":\"a\\nb\"}\n{\"step\":3}\n");
}

TEST(MetricsLog, DropsWhatIsBehindTheStepResumedFromAndTornLines) {
  testing::TemporaryFolder folder;
  const auto file = folder / "metrics.jsonl";
  std::ofstream(file) << "{\"step\":1}\n{\"step\":9}\n{\"step\":2}\nnonsense\n{\"other\":1}\n{\"step\":2,\"lo";
  MetricsLog(file, 2).write({{"step", 3}});
  EXPECT_EQ(read_file(file), "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n");
}

TEST(MetricsLog, WhatCannotBeWrittenIsNoError) {
  MetricsLog log("/proc/nowhere/metrics.jsonl", 0);
  EXPECT_NO_THROW(log.write({{"step", 1}}));
  MetricsLog full("/dev/full", 0);
  EXPECT_NO_THROW(full.write({{"step", 1}}));
}

}  // namespace
}  // namespace heed::train
