#include "heed/train/stepper.h"

#include <gtest/gtest.h>

#include <cmath>

#include "heed/autograd/autograd.h"
#include "heed/base/threads.h"
#include "toy_task.h"

namespace heed::train {
namespace {

using testing::ToyTask;

tasks::StreamedBatch streamed(std::unique_ptr<tasks::TrainingBatch> batch) { return {{0, 0}, false, std::move(batch)}; }

class StepperTest : public ::testing::Test {
 protected:
  void SetUp() override { set_thread_count(1); }
  void TearDown() override { set_thread_count(0); }
};

std::vector<float> values_of(ToyTask& task) { return task.parameters().values().to_vector<float>(); }

// Three steps with these options; the parameters after them.
std::vector<float> after_steps(const TrainOptions& options) {
  ToyTask task;
  Stepper stepper(task, options);
  for (int64_t step = 1; step <= 3; ++step) {
    std::vector<tasks::StreamedBatch> batches;
    batches.push_back(streamed(task.prepare(0, static_cast<uint64_t>(step))));
    EXPECT_TRUE(stepper.step(step, batches).finite);
  }
  return values_of(task);
}

// The gradient of one batch that comes in parts, cut at these rows.
std::vector<float> gradient(const std::vector<int>& cuts, StepOutcome& outcome) {
  ToyTask task;
  const TrainOptions options = testing::toy_training(10);
  Stepper stepper(task, options);
  const auto whole = task.prepare(0, 0);
  std::vector<tasks::StreamedBatch> batches;
  for (size_t i = 1; i < cuts.size(); ++i) batches.push_back(streamed(testing::toy_rows(*whole, cuts[i - 1], cuts[i])));
  outcome = stepper.step(1, batches);
  EXPECT_EQ(outcome.targets, whole->targets());
  return task.parameters().gradients().to_vector<float>();
}

TEST_F(StepperTest, AccumulatedPartsEqualTheFullBatch) {
  StepOutcome whole, parts;
  const std::vector<float> expected = gradient({0, 16}, whole);
  // Parts of unequal size: only weighting by tokens gives the full batch. Dropout acts, drawn by example.
  for (const std::vector<int>& cuts : {std::vector<int>{0, 8, 16}, {0, 3, 16}, {0, 1, 2, 9, 16}}) {
    const std::vector<float> sum = gradient(cuts, parts);
    EXPECT_NEAR(parts.gradient_norm, whole.gradient_norm, 1e-5 * whole.gradient_norm);
    EXPECT_NEAR(parts.loss_sum, whole.loss_sum, 1e-5 * whole.loss_sum);
    for (size_t i = 0; i < sum.size(); ++i) ASSERT_NEAR(sum[i], expected[i], 1e-6 * whole.gradient_norm) << i;
  }
}

TEST_F(StepperTest, EveryOptionChangesTheResult) {
  const TrainOptions base = testing::toy_training(10);
  const std::vector<float> reference = after_steps(base);
  EXPECT_EQ(after_steps(base), reference);
  const std::vector<std::pair<const char*, std::function<void(TrainOptions&)>>> changes = {
      {"seed", [](TrainOptions& o) { o.seed = 5; }},
      {"learning-rate", [](TrainOptions& o) { o.schedule.peak *= 2; }},
      {"warmup", [](TrainOptions& o) { o.schedule.warmup = 10; }},
      {"schedule",
       [](TrainOptions& o) {
         o.schedule.kind = optim::ScheduleKind::kPaper, o.schedule.peak = 1, o.schedule.d_model = 32;
       }},
      {"beta1", [](TrainOptions& o) { o.adam.beta1 = 0.5f; }},
      {"beta2", [](TrainOptions& o) { o.adam.beta2 = 0.5f; }},
      {"epsilon", [](TrainOptions& o) { o.adam.epsilon = 0.1f; }},
      {"weight-decay", [](TrainOptions& o) { o.adam.weight_decay = 0.5f; }},
      {"muon", [](TrainOptions& o) { o.muon = o.adam.decoupled = true; }},
      {"momentum", [](TrainOptions& o) { o.muon = o.adam.decoupled = true, o.momentum = 0.5f; }},
      // Adam's first steps ignore a factor on the gradient, but not one that differs from step to step.
      {"clip-norm", [](TrainOptions& o) { o.clip_norm = 0; }}};
  std::set<std::vector<float>> results{reference};
  for (const auto& [name, change] : changes) {
    TrainOptions options = base;
    change(options);
    EXPECT_TRUE(results.insert(after_steps(options)).second) << name;
  }
  TrainOptions decoupled = base, coupled = base;
  decoupled.adam.weight_decay = coupled.adam.weight_decay = 0.5f;
  decoupled.adam.decoupled = true;
  coupled.adam.decoupled = false;
  EXPECT_NE(after_steps(decoupled), after_steps(coupled));
}

TEST_F(StepperTest, StepEqualsOneWrittenByHand) {
  ToyTask task, by_hand;
  const TrainOptions options = testing::toy_training(10);
  Stepper stepper(task, options);
  const StepOutcome outcome = stepper.step(1, [&] {
    std::vector<tasks::StreamedBatch> batches;
    batches.push_back(streamed(task.prepare(0, 0)));
    return batches;
  }());
  const auto batch = by_hand.prepare(0, 0);
  nn::ParameterStore& parameters = by_hand.parameters();
  parameters.clear_gradients();
  const auto loss = by_hand.loss(*batch, {true, dropout_key(options.seed, 1), nullptr}, double(batch->targets()));
  backward(loss.loss);
  parameters.complete_gradients();
  double squares = 0;
  for (const float g : parameters.gradients().to_vector<float>()) squares += double(g) * double(g);
  EXPECT_NEAR(outcome.gradient_norm, std::sqrt(squares), 1e-5 * std::sqrt(squares));
  EXPECT_NEAR(outcome.loss_sum, loss.loss_sum, 1e-5);
  // Adam's first step moves every weight with a gradient by the rate, whatever the gradient's size.
  const auto before = parameters.values().to_vector<float>(), after = values_of(task);
  const auto gradients = parameters.gradients().to_vector<float>();
  for (size_t i = 0; i < before.size(); ++i) {
    if (std::abs(gradients[i]) <= 1e-3) continue;  // where epsilon counts
    ASSERT_NEAR(after[i], before[i] - std::copysign(options.schedule.rate(1), gradients[i]), 1e-6) << i;
  }
}

TEST_F(StepperTest, MovingAverageFollows) {
  ToyTask task;
  TrainOptions options = testing::toy_training(10);
  options.average = 0;
  options.ema = 0.5;
  Stepper stepper(task, options);
  std::vector<float> expected = values_of(task);
  for (int64_t step = 1; step <= 12; ++step) {
    std::vector<tasks::StreamedBatch> batches;
    batches.push_back(streamed(task.prepare(0, static_cast<uint64_t>(step))));
    stepper.step(step, batches);
    const double decay = std::min(0.5, (1.0 + double(step)) / (10.0 + double(step)));
    const auto values = values_of(task);
    for (size_t i = 0; i < values.size(); ++i)
      expected[i] = static_cast<float>(decay * double(expected[i]) + (1 - decay) * double(values[i]));
  }
  const auto ema = stepper.ema().to_vector<float>();
  for (size_t i = 0; i < ema.size(); ++i) ASSERT_NEAR(ema[i], expected[i], 1e-5) << i;
}

TEST_F(StepperTest, ABadStepLeavesParametersMomentsAndAverageAlone) {
  ToyTask task;
  TrainOptions options = testing::toy_training(10);
  options.average = 0;
  options.ema = 0.5;
  Stepper stepper(task, options);
  const auto step = [&](int64_t number, uint64_t k) {
    std::vector<tasks::StreamedBatch> batches;
    batches.push_back(streamed(task.prepare(0, k)));
    batches.push_back(streamed(task.prepare(0, k + 1)));
    return stepper.step(number, batches);
  };
  step(1, 0);
  const auto state = [&] {
    return std::vector{values_of(task), stepper.optimizer().first_moment().to_vector<float>(),
                       stepper.optimizer().second_moment().to_vector<float>(), stepper.ema().to_vector<float>()};
  };
  const auto before = state();
  task.nan_loss = {{0, 3}};  // the second of two
  EXPECT_FALSE(step(2, 2).finite);
  EXPECT_EQ(state(), before);
  task.nan_loss.clear();
  task.nan_gradient = {{0, 2}};
  EXPECT_FALSE(step(3, 2).finite);
  EXPECT_EQ(state(), before);
  EXPECT_EQ(stepper.optimizer().steps(), 1);
  task.nan_gradient.clear();
  EXPECT_TRUE(step(4, 2).finite);  // nothing of the bad ones is left in the gradients
  EXPECT_NE(state(), before);
  for (const float value : values_of(task)) ASSERT_TRUE(std::isfinite(value));
}

TEST_F(StepperTest, DropoutKeysDiffer) {
  std::set<uint64_t> keys;
  for (uint64_t seed = 0; seed < 20; ++seed)
    for (int64_t step = 1; step <= 50; ++step) keys.insert(dropout_key(seed, step));
  EXPECT_EQ(keys.size(), 1000u);
  EXPECT_EQ(dropout_key(3, 4), dropout_key(3, 4));
}

}  // namespace
}  // namespace heed::train
