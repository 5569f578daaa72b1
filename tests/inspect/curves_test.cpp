// Curves of trainings as panels: which there are, what they hold, how they are smoothed and thinned.
#include "heed/inspect/curves.h"

#include <gmock/gmock.h>

#include "made_runs.h"

namespace heed::inspect {
namespace {

using heed::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> keys(const std::vector<Panel>& panels) {
  std::vector<std::string> all;
  for (const Panel& panel : panels) all.push_back(panel.key);
  return all;
}

class Curves : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  std::vector<TrainingLog> runs_{make_run(folder_, "a"), make_run(folder_, "b", step_line(10, 3) + step_line(20, 2))};
};

TEST_F(Curves, PanelsHoldWhatTheRunsHave) {
  const auto panels = make_panels(runs_, {});
  EXPECT_THAT(keys(panels), ElementsAre("loss", "accuracy", "learning_rate", "targets_per_second"));
  ASSERT_EQ(panels[0].curves.size(), 3u);  // training of both, validation of one
  EXPECT_FALSE(panels[0].curves[0].validation);
  EXPECT_TRUE(panels[0].curves[1].validation);
  EXPECT_EQ(panels[0].curves[1].points.size(), 4u);
  EXPECT_EQ(panels[0].curves[1].averaged.size(), 1u);
  ASSERT_TRUE(panels[0].curves[1].best.has_value());
  EXPECT_EQ(panels[0].curves[1].best->x, 150);
  EXPECT_EQ(panels[0].curves[2].run, 1u);
  EXPECT_EQ(panels[1].curves.size(), 1u);
  EXPECT_THAT(keys(make_panels(runs_, {.show = {"perplexity", "loss"}})), ElementsAre("perplexity", "loss"));
  try {
    make_panels(runs_, {.show = {"bleu"}});
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no run has a \"bleu\"; there are loss, perplexity, accuracy, learning_rate"));
  }
}

TEST_F(Curves, AcrossStepsMinutesOrTargets) {
  const auto validation_places = [&](Across across) {
    std::vector<double> places;
    const auto panels = make_panels(runs_, {.across = across});
    for (const Point& p : panels[1].curves[0].points) places.push_back(p.x);
    return places;
  };
  EXPECT_THAT(validation_places(Across::kSteps), ElementsAre(50, 100, 150, 200));
  EXPECT_THAT(validation_places(Across::kMinutes), ElementsAre(26 / 60.0, 51 / 60.0, 76 / 60.0, 101 / 60.0));
  EXPECT_THAT(validation_places(Across::kTargets), ElementsAre(1600, 3200, 4800, 6400));
  // Between two records.
  runs_[0].validations[0].step = 55;
  EXPECT_EQ(validation_places(Across::kTargets)[0], 1760);
  EXPECT_EQ(make_panels(runs_, {.across = Across::kMinutes})[0].across, "minutes");
  runs_.push_back(make_run(folder_, "old", step_line(10, 1, false)));
  EXPECT_THROW(make_panels(runs_, {.across = Across::kTargets}), DataError);
  EXPECT_NO_THROW(make_panels(runs_, {}));
}

TEST_F(Curves, TheFallAtTheBeginningIsNotShownWhole) {
  std::string text = step_line(1, 500);
  for (int step = 100; step <= 1000; step += 100) text += step_line(step, 1 + 1.0 / step);
  const std::vector<TrainingLog> run{make_run(folder_, "fall", text)};
  EXPECT_LT(make_panels(run, {.smoothing = 0})[0].y.high(), 2);
  EXPECT_GE(make_panels(run, {.log_y = true, .smoothing = 0})[0].y.high(), 500);
  EXPECT_TRUE(make_panels(run, {.log_y = true})[0].y.is_log());
  EXPECT_EQ(make_panels(run, {})[0].x.low(), 0);
  EXPECT_EQ(make_panels(run, {.log_x = true})[0].x.low(), 1);
}

TEST_F(Curves, WhatIsNotFiniteIsLeftOut) {
  runs_[0].steps[3].loss = std::nan("");
  runs_[0].validations[1].metrics[0].second = std::nan("");
  const auto panels = make_panels(runs_, {.smoothing = 0});
  EXPECT_EQ(panels[0].curves[0].points.size(), 19u);
  EXPECT_EQ(panels[0].curves[1].points.size(), 3u);
}

TEST(CurvePoints, Smoothing) {
  const std::vector<Point> points{{1, 4}, {2, 8}, {3, 0}};
  const auto half = smoothed(points, 0.5);
  EXPECT_DOUBLE_EQ(half[0].y, 4);  // without bias from the start
  EXPECT_DOUBLE_EQ(half[1].y, (0.25 * 4 + 0.5 * 8) / 0.75);
  EXPECT_DOUBLE_EQ(half[2].y, (0.125 * 4 + 0.25 * 8) / 0.875);
  EXPECT_EQ(half[2].x, 3);
  EXPECT_DOUBLE_EQ(smoothed(points, 0)[1].y, 8);
}

TEST(CurvePoints, Thinning) {
  std::vector<Point> points;
  for (int i = 0; i < 1000; ++i) points.push_back({1.0 * i, 2.0 * i});
  const auto few = thinned(points, 10);
  ASSERT_EQ(few.size(), 10u);
  EXPECT_DOUBLE_EQ(few[0].x, 49.5);
  EXPECT_DOUBLE_EQ(few[0].y, 99);
  EXPECT_EQ(few[9].x, 999);  // the end stays the end
  EXPECT_EQ(thinned(points, 2000).size(), 1000u);
}

TEST(CurvePoints, Titles) {
  EXPECT_EQ(title_of("bleu"), "BLEU");
  EXPECT_EQ(title_of("macro_f1"), "Macro F1");
  EXPECT_EQ(title_of("learning_rate"), "Learning rate");
  EXPECT_EQ(title_of("rougeL"), "ROUGE-L");
}

}  // namespace
}  // namespace heed::inspect
