#include "heed/train/records.h"

#include <gmock/gmock.h>

#include <limits>

#include "heed/base/files.h"
#include "shared_files.h"

namespace heed::train {
namespace {

std::string events_in(const std::filesystem::path& folder) {
  std::string all;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) all += read_file(entry.path());
  return all;
}

TEST(Records, GoToMetricsAndEvents) {
  testing::TemporaryFolder folder;
  {
    Records records(folder / "metrics.jsonl", folder / "tensorboard", 0);
    records.step({10, 2, 3.5, 1e-3, 0.7, 9000, 1, 60, 540000});
    records.validation(10, "current", {{{"loss", 2.5}, {"bleu", 12}}, 12}, true, 61);
    const double infinite = std::numeric_limits<double>::infinity();
    records.validation(10, "average", {{{"perplexity", infinite}}, 12}, false, 62);
  }
  const std::string text = read_file(folder / "metrics.jsonl");
  EXPECT_EQ(text,
            "{\"step\":10,\"epoch\":2,\"loss\":3.5,\"learning_rate\":0.001,\"gradient_norm\":0.7,"
            "\"targets\":540000,\"targets_per_second\":9000.0,\"skipped\":1,\"seconds\":60.0}\n"
            "{\"step\":10,\"weights\":\"current\",\"valid\":{\"loss\":2.5,\"bleu\":12.0},\"best\":true,"
            "\"seconds\":61.0}\n"
            "{\"step\":10,\"weights\":\"average\",\"valid\":{\"perplexity\":null},\"best\":false,\"seconds\":62.0}\n");
  const std::string events = events_in(folder / "tensorboard");
  for (const char* tag : {"train/loss", "train/learning_rate", "train/gradient_norm", "train/targets_per_second",
                          "train/epoch", "valid/loss", "valid/bleu", "valid_average/perplexity"})
    EXPECT_THAT(events, ::testing::HasSubstr(tag));
}

TEST(Records, AResumedRunRepeatsFromTheStepBehindTheLast) {
  testing::TemporaryFolder folder;
  for (const int64_t last_step : {0, 20, 10}) {
    Records records(folder / "metrics.jsonl", folder / "tensorboard", last_step);
    for (const int64_t step : {last_step + 5, last_step + 10}) records.step({step, 0, 1, 1, 1, 1, 0, 1});
  }
  std::vector<int64_t> steps;
  const std::string text = read_file(folder / "metrics.jsonl");
  for (size_t begin = 0; begin < text.size(); begin = text.find('\n', begin) + 1)
    steps.push_back(parse_json(text.substr(begin, text.find('\n', begin) - begin), "m")["step"]);
  EXPECT_EQ(steps, (std::vector<int64_t>{5, 10, 15, 20}));  // of 25 and 30 nothing is left
}

TEST(Records, WhatCannotBeWrittenEndsNothing) {
  Records records("/proc/nowhere/metrics.jsonl", "/proc/nowhere/tensorboard", 0);
  EXPECT_NO_THROW(records.step({1, 0, 1, 1, 1, 1, 0, 1}));
  EXPECT_NO_THROW(records.validation(1, "current", {{{"loss", 1}}, -1}, true, 1));
}

}  // namespace
}  // namespace heed::train
