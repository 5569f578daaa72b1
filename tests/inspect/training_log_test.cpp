// Records of trainings read back, and what is none.
#include "heed/inspect/training_log.h"

#include <gmock/gmock.h>

#include "heed/train/records.h"
#include "made_runs.h"
#include "message_of.h"

namespace heed::inspect {
namespace {

using heed::testing::TemporaryFolder;
using ::testing::EndsWith;
using ::testing::HasSubstr;

TEST(TrainingLog, ReadsStepsAndValidations) {
  const TemporaryFolder folder;
  const TrainingLog log = make_run(folder, "run");
  EXPECT_EQ(log.name, "run");
  ASSERT_EQ(log.steps.size(), 20u);
  EXPECT_EQ(log.steps[1].step, 20);
  EXPECT_DOUBLE_EQ(log.steps[1].loss, 0.5 + 95.0 / 20);
  EXPECT_EQ(log.steps[1].targets, 640);
  EXPECT_EQ(log.steps[19].epoch, 2u);
  ASSERT_EQ(log.validations.size(), 5u);
  EXPECT_EQ(log.validations[0].metrics[0].first, "loss");
  EXPECT_TRUE(log.validations[4].averaged);
  ASSERT_NE(log.best(), nullptr);
  EXPECT_EQ(log.best()->step, 150);
  EXPECT_EQ(read_training_log(folder / "run/metrics.jsonl").name, "run");
}

// What a training writes is what is read.
TEST(TrainingLog, ReadsWhatATrainingWrites) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "run");
  {
    train::Records records(folder / "run/metrics.jsonl", folder / "run/tensorboard", 0);
    records.step({.step = 10,
                  .epoch = 1,
                  .loss = std::nan(""),
                  .learning_rate = 0.5,
                  .targets_per_second = 3,
                  .seconds = 2,
                  .targets = 77});
    records.validation(10, "average", {{{"bleu", 30.5}}, 30.5}, true, 2.5);
  }
  const TrainingLog log = read_training_log(folder / "run");
  ASSERT_EQ(log.steps.size(), 1u);
  EXPECT_TRUE(std::isnan(log.steps[0].loss));
  EXPECT_EQ(log.steps[0].targets, 77);
  ASSERT_EQ(log.validations.size(), 1u);
  EXPECT_TRUE(log.validations[0].averaged);
  EXPECT_EQ(log.best()->metrics[0].second, 30.5);
}

TEST(TrainingLog, ATornLastLineIsLeftOut) {
  const TemporaryFolder folder;
  const std::string torn = step_line(20, 1);
  EXPECT_EQ(make_run(folder, "run", step_line(10, 2) + torn.substr(0, 40)).steps.size(), 1u);
}

TEST(TrainingLog, WhatIsNoneIsNamed) {
  const TemporaryFolder folder;
  const auto reason = [](const auto& read) { return testing::message_of<DataError>(read); };
  const auto of_text = [&](const std::string& text) { return reason([&] { make_run(folder, "run", text); }); };
  EXPECT_THAT(reason([&] { read_training_log(folder / "none"); }), HasSubstr("none: no such training"));
  std::filesystem::create_directory(folder / "empty");
  EXPECT_THAT(reason([&] { read_training_log(folder / "empty"); }), HasSubstr("empty: the folder is no training's"));
  EXPECT_THAT(of_text(""), EndsWith("metrics.jsonl: holds no records yet"));
  EXPECT_THAT(of_text(step_line(10, 1) + "{\"step\":\n"), HasSubstr("metrics.jsonl:2: not valid JSON"));
  EXPECT_THAT(of_text("[1]\n"), HasSubstr("metrics.jsonl:1: expected a training's record"));
  EXPECT_THAT(of_text("{\"text\": 1}\n"), HasSubstr("metrics.jsonl:1: expected a training's record"));
  EXPECT_THAT(of_text("{\"step\": 1, \"epoch\": 0}\n"), HasSubstr("metrics.jsonl:1: the key \"loss\" is missing"));
  EXPECT_THAT(of_text("{\"step\": 1, \"epoch\": 0, \"loss\": \"x\"}\n"), HasSubstr("\"loss\" must be a number"));
  EXPECT_THAT(of_text("{\"step\": 0.5, \"epoch\": 0}\n"), HasSubstr("\"step\" must be a whole number"));
}

}  // namespace
}  // namespace heed::inspect
