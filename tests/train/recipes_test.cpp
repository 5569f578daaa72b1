#include "heed/train/recipes.h"

#include <gtest/gtest.h>

#include <cmath>

#include "heed/base/error.h"
#include "heed/tasks/presets.h"

namespace heed::train {
namespace {

TEST(Recipes, EveryPresetHasOneThatIsValid) {
  for (const std::string& name : tasks::preset_names()) EXPECT_NO_THROW(recipe_for(name).train.validate()) << name;
  EXPECT_NO_THROW(fine_tuning_recipe().train.validate());
  EXPECT_LT(fine_tuning_recipe().train.schedule.peak, recipe_for("tiny").train.schedule.peak);
  EXPECT_THROW(recipe_for("huge"), UsageError);
}

TEST(Recipes, TinyIsTheOneOfTheSharedModel) {
  const Recipe r = recipe_for("tiny");
  EXPECT_EQ(r.batch_tokens, 12000u);
  EXPECT_EQ(r.label_smoothing, 0.1f);
  EXPECT_EQ(r.train.max_steps, 5000);
  EXPECT_EQ(r.train.average, 10);
  EXPECT_EQ(r.train.adam.beta2, 0.98f);
  EXPECT_EQ(r.train.adam.epsilon, 1e-9f);
  EXPECT_DOUBLE_EQ(r.train.schedule.rate(750), 1.5e-3);
  EXPECT_DOUBLE_EQ(r.train.schedule.rate(1500), 3e-3);
  EXPECT_DOUBLE_EQ(r.train.schedule.rate(6000), 1.5e-3);
}

TEST(Recipes, BaseFollowsThePapersSchedule) {
  const optim::Schedule paper{optim::ScheduleKind::kPaper, 1, 4000, 0, 0, 512};
  const optim::Schedule ours = recipe_for("base").train.schedule;
  for (const int64_t step : {100, 4000, 50000}) EXPECT_NEAR(ours.rate(step) / paper.rate(step), 1, 0.01);
}

TEST(Recipes, LanguageModelsRiseWithinATwentiethAndFallToATenth) {
  const Recipe r = language_recipe(1e-3, 10, 32);
  TrainOptions o = r.train;
  fit_to_data(o, r, 200, {});
  EXPECT_EQ(o.max_epochs, 10u);
  EXPECT_EQ(o.schedule.total, 2000);
  EXPECT_EQ(o.schedule.warmup, 100);
  EXPECT_EQ(o.schedule.kind, optim::ScheduleKind::kCosine);
  EXPECT_EQ(r.floor_share, 0.1);
  EXPECT_TRUE(o.adam.decoupled);
  EXPECT_FALSE(o.decay_all);
  EXPECT_NO_THROW(o.validate());
}

// Minutes and patience alone would go on at the lowest rate.
TEST(Recipes, ATrainingEndsAtTheLatestWhereItsRateHasFallen) {
  const Recipe r = epoch_recipe(5e-4, 10, 32);
  TrainOptions o = r.train;
  o.max_minutes = 60;
  fit_to_data(o, r, 7, {});
  EXPECT_EQ(o.max_epochs, 10u);
  EXPECT_EQ(o.schedule.total, 70);
  TrainOptions constant = r.train;
  constant.schedule.kind = optim::ScheduleKind::kConstant;
  constant.patience = 3;
  fit_to_data(constant, r, 7, {});
  EXPECT_EQ(constant.max_epochs, 0u);
}

}  // namespace
}  // namespace heed::train
