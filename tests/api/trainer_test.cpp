// Training through the public surface: what each option and hook does, stopping and resuming, and what is thrown.
#include "heed/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "api/sentences.h"
#include "heed/translator.h"
#include "shared_files.h"

namespace heed {
namespace {

using testing::first_lines;
using testing::read_all;
using testing::shared_path;

// A corpus of a few pairs, and the options of a training of seconds.
class TrainerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    HEED_NEEDS_SHARED("data/multi30k");
    const auto text = shared_path("data/multi30k");
    testing::write_lines(folder_ / "train.en", first_lines(text / "train.en.gz", 200));
    testing::write_lines(folder_ / "train.de", first_lines(text / "train.de.gz", 200));
    testing::write_lines(folder_ / "valid.en", first_lines(text / "val.en.gz", 4));
    testing::write_lines(folder_ / "valid.de", first_lines(text / "val.de.gz", 4));
  }

  TrainingOptions options(const std::string& output) const {
    TrainingOptions o;
    o.source = folder_ / "train.en";
    o.target = folder_ / "train.de";
    o.output = folder_ / output;
    o.vocab_size = 300;
    o.batch_tokens = 400;
    o.max_steps = 4;
    o.threads = 1;
    return o;
  }
  std::string weights(const std::string& output) const { return read_all(folder_ / output / "model.safetensors"); }

  testing::TemporaryFolder folder_;
};

TEST_F(TrainerTest, TrainsAndValidates) {
  TrainingOptions o = options("model");
  o.valid_source = folder_ / "valid.en";
  o.valid_target = folder_ / "valid.de";
  o.valid_every = 2;
  o.learning_rate = 2e-3;
  o.warmup = 4;
  std::vector<TrainingStep> steps;
  std::vector<TrainingValidation> validations;
  TrainingHooks hooks;
  hooks.stepped = [&](const TrainingStep& s) { steps.push_back(s); };
  hooks.validated = [&](const TrainingValidation& v) { validations.push_back(v); };
  const TrainingResult result = train_translation(o, hooks);

  EXPECT_EQ(result.end, TrainingEnd::kMaxSteps);
  EXPECT_EQ(result.steps, 4);
  EXPECT_EQ(result.skipped_steps, 0);
  EXPECT_TRUE(result.saved);
  EXPECT_GT(result.seconds, 0);
  ASSERT_EQ(steps.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(steps[i].step, static_cast<int64_t>(i) + 1);
    EXPECT_DOUBLE_EQ(steps[i].progress, 0.25 * static_cast<double>(i + 1));
    EXPECT_NEAR(steps[i].learning_rate, 5e-4 * static_cast<double>(i + 1), 1e-9);
    EXPECT_TRUE(std::isfinite(steps[i].loss));
    EXPECT_GT(steps[i].gradient_norm, 0);
    EXPECT_GT(steps[i].target_tokens, 0);
    EXPECT_LE(steps[i].target_tokens, 400);
    EXPECT_FALSE(steps[i].skipped);
  }
  EXPECT_LT(steps[3].loss, steps[0].loss);
  ASSERT_GE(validations.size(), 2u);
  EXPECT_EQ(validations[0].step, 2);
  EXPECT_EQ(validations[0].weights, "current");
  EXPECT_TRUE(validations[0].best);
  ASSERT_EQ(validations[0].metrics.size(), 4u);
  EXPECT_EQ(validations[0].metrics[0].first, "loss");
  EXPECT_EQ(validations[0].metrics[2].first, "bleu");
  ASSERT_TRUE(result.best.has_value());
  EXPECT_EQ(result.best->metrics.size(), 4u);

  TranslateOptions few;
  few.max_new_tokens = 5;
  EXPECT_EQ(Translator(o.output).n_best({"A man."}, few).size(), 1u);
}

TEST_F(TrainerTest, GoesOnAsIfNothingHadBeen) {
  train_translation(options("unbroken"));
  TrainingOptions o = options("broken");
  int64_t seen = 0;
  TrainingHooks hooks;
  hooks.stepped = [&](const TrainingStep& s) { seen = s.step; };
  hooks.stop = [&] { return seen >= 2; };
  const TrainingResult stopped = train_translation(o, hooks);
  EXPECT_EQ(stopped.end, TrainingEnd::kStopped);
  EXPECT_EQ(stopped.steps, 2);
  EXPECT_NE(weights("broken"), weights("unbroken"));

  EXPECT_THROW(train_translation(o), InvalidOptions);  // in use, and resume was not asked for
  o.resume = true;
  EXPECT_EQ(train_translation(o).steps, 4);
  EXPECT_TRUE(weights("broken") == weights("unbroken"));

  o.seed = 2;
  o.max_steps = 5;
  EXPECT_THROW(train_translation(o), InvalidOptions);  // not what it began with
}

TEST_F(TrainerTest, ThrowsWhatAHookThrows) {
  TrainingOptions o = options("model");
  struct Mine {};
  TrainingHooks hooks;
  hooks.stepped = [](const TrainingStep& s) {
    if (s.step == 2) throw Mine();
  };
  EXPECT_THROW(train_translation(o, hooks), Mine);
  o.resume = true;
  hooks.stepped = nullptr;
  hooks.stop = []() -> bool { throw Mine(); };
  EXPECT_THROW(train_translation(o, hooks), Mine);
  int steps = 0;
  hooks.stop = nullptr;
  hooks.stepped = [&](const TrainingStep&) { ++steps; };
  EXPECT_EQ(train_translation(o, hooks).steps, 4);
  EXPECT_EQ(steps, 2);  // the first two were saved
}

TEST_F(TrainerTest, SeedDropoutAndSmoothingMatter) {
  const auto first_loss = [&](const std::string& name, const auto& change) {
    TrainingOptions o = options(name);
    o.max_steps = 1;
    change(o);
    double loss = 0;
    TrainingHooks hooks;
    hooks.stepped = [&](const TrainingStep& s) { loss = s.loss; };
    train_translation(o, hooks);
    return loss;
  };
  const double base = first_loss("a", [](TrainingOptions&) {});
  EXPECT_EQ(first_loss("b", [](TrainingOptions&) {}), base);
  EXPECT_NE(first_loss("c", [](TrainingOptions& o) { o.seed = 2; }), base);
  EXPECT_NE(first_loss("d", [](TrainingOptions& o) { o.dropout = 0.0f; }), base);
  EXPECT_NE(first_loss("e", [](TrainingOptions& o) { o.label_smoothing = 0.0f; }), base);
}

TEST_F(TrainerTest, EndsAfterAnEpoch) {
  TrainingOptions o = options("model");
  o.max_steps = 0;
  o.max_epochs = 1;
  o.batch_tokens = 2000;
  const TrainingResult result = train_translation(o);
  EXPECT_EQ(result.end, TrainingEnd::kMaxEpochs);
  EXPECT_GT(result.steps, 1);
}

TEST_F(TrainerTest, FineTunesAModel) {
  HEED_NEEDS_SHARED("models/marian-multi30k-en-de");
  TrainingOptions o = options("model");
  o.init = shared_path("models/marian-multi30k-en-de");
  o.max_steps = 1;
  EXPECT_THROW(train_translation(o), InvalidOptions);  // vocab_size is the model's
  o.vocab_size.reset();
  double loss = 0;
  TrainingHooks hooks;
  hooks.stepped = [&](const TrainingStep& s) { loss = s.loss; };
  train_translation(o, hooks);
  EXPECT_LT(loss, 5);  // log(8000) = 9 for a new model
  EXPECT_EQ(read_all(o.output / "source.spm"), read_all(o.init / "source.spm"));
}

TEST_F(TrainerTest, RefusesOptions) {
  const auto refuse = [&](const auto& change) {
    TrainingOptions o = options("model");
    change(o);
    EXPECT_THROW(train_translation(o), InvalidOptions);
    EXPECT_FALSE(exists(folder_ / "model" / "config.json"));
  };
  refuse([](TrainingOptions& o) { o.source.clear(); });
  refuse([](TrainingOptions& o) { o.output.clear(); });
  refuse([](TrainingOptions& o) { o.valid_source = "x"; });
  refuse([](TrainingOptions& o) { o.preset = "huge"; });
  refuse([](TrainingOptions& o) { o.vocab_size = 7; });
  refuse([](TrainingOptions& o) { o.dropout = 1.0f; });
  refuse([](TrainingOptions& o) { o.label_smoothing = 1.0f; });
  refuse([](TrainingOptions& o) { o.batch_tokens = 0; });
  refuse([](TrainingOptions& o) { o.threads = -1; });
  refuse([](TrainingOptions& o) { o.max_steps = -1; });
  refuse([](TrainingOptions& o) { o.learning_rate = 0; });
  refuse([](TrainingOptions& o) { o.valid_every = -1; });
}

TEST_F(TrainerTest, SaysWhatIsWrongWithTheText) {
  TrainingOptions o = options("model");
  o.target = folder_ / "none.de";
  EXPECT_THROW(train_translation(o), Exception);
  o.target = folder_ / "valid.de";
  EXPECT_THROW(train_translation(o), BadData);  // 200 lines and 4
}

}  // namespace
}  // namespace heed
