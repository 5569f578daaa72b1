#include "heed/train/trainer.h"

#include <gmock/gmock.h>

#include <set>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/threads.h"
#include "heed/io/checkpoint.h"
#include "heed/io/model_folder.h"
#include "heed/models/registry.h"
#include "shared_files.h"
#include "toy_task.h"

namespace heed::train {
namespace {

using testing::never;
using testing::Recorder;
using testing::TemporaryFolder;
using testing::ToyTask;

class Trainer : public ::testing::Test {
 protected:
  void SetUp() override { set_thread_count(1); }
  void TearDown() override { set_thread_count(0); }

  // A run into folder_/name.
  TrainSummary run(const std::string& name, TrainOptions options, Recorder& recorder,
                   const testing::ToyOptions& toy = {}, const tasks::StopFlag& stop = never) {
    ToyTask task(toy);
    return run(name, std::move(options), recorder, task, stop);
  }
  TrainSummary run(const std::string& name, TrainOptions options, Recorder& recorder, ToyTask& task,
                   const tasks::StopFlag& stop = never) {
    options.output = folder_ / name;
    return train(task, options, recorder, stop);
  }

  std::string model_of(const std::string& name) { return read_file(folder_ / name / "model.safetensors"); }

  TemporaryFolder folder_;
};

std::string reason_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no error";
}

std::vector<double> tail(const std::vector<double>& values, size_t from) {
  return {values.begin() + static_cast<long>(from), values.end()};
}

TEST_F(Trainer, LearnsTheToyTask) {
  ToyTask task({.dropout = 0});
  Recorder recorder;
  TrainOptions options = testing::toy_training(600);
  options.valid_every = options.save_every = 100;
  options.snapshot_every = 10;
  const TrainSummary summary = run("m", options, recorder, task);
  EXPECT_EQ(summary.reason, EndReason::kMaxSteps);
  EXPECT_EQ(summary.steps, 600);
  EXPECT_LT(recorder.steps.back().loss, 0.1 * recorder.steps.front().loss);
  ASSERT_TRUE(summary.best.has_value());
  EXPECT_LT(summary.best->result.metrics.at(0).second, 0.2);
  EXPECT_GT(task.accuracy(), 0.95);
  int64_t targets = 0;
  for (const auto& step : recorder.steps) targets += step.targets;
  EXPECT_EQ(summary.targets, targets);
  EXPECT_NE(models::load_seq2seq(io::ModelFolder::open(folder_ / "m")), nullptr);
}

TEST_F(Trainer, LearnsInBf16WhatItLearnsInF32) {
  TrainOptions options = testing::toy_training(900);
  options.valid_every = options.save_every = 100;
  options.snapshot_every = 10;
  double losses[2];
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    ToyTask task({.dropout = 0});
    Recorder recorder;
    options.dtype = dtype;
    const TrainSummary summary = run(std::string(name_of(dtype)), options, recorder, task);
    ASSERT_TRUE(summary.best.has_value());
    losses[dtype == DType::kBF16] = summary.best->result.metrics.at(0).second;
    EXPECT_GT(task.accuracy(), 0.96) << name_of(dtype);
  }
  EXPECT_NE(losses[0], losses[1]);
  EXPECT_NEAR(losses[1], losses[0], 0.1);
}

TEST_F(Trainer, ResumesBitForBitInBf16) {
  TrainOptions options = testing::toy_training(20);
  options.dtype = DType::kBF16;
  Recorder whole, first, second;
  run("whole", options, whole);
  run("m", options, first, {}, [&] { return first.steps.size() >= 9; });
  options.resume = true;
  options.dtype = DType::kF32;
  EXPECT_THAT(reason_of([&] { run("m", options, second); }), ::testing::HasSubstr("dtype"));
  options.dtype = DType::kBF16;
  run("m", options, second);
  EXPECT_EQ(second.losses(), tail(whole.losses(), 9));
  EXPECT_EQ(model_of("m"), model_of("whole"));
}

TEST_F(Trainer, RepeatsBitForBit) {
  Recorder a, b, other_seed;
  run("a", testing::toy_training(15), a);
  run("b", testing::toy_training(15), b);
  EXPECT_EQ(a.losses(), b.losses());
  EXPECT_EQ(model_of("a"), model_of("b"));
  TrainOptions options = testing::toy_training(15);
  options.seed = 2;
  run("c", options, other_seed);
  EXPECT_EQ(a.steps[0].targets, other_seed.steps[0].targets);  // the same data, other masks
  EXPECT_NE(a.losses(), other_seed.losses());
}

TEST_F(Trainer, ResumesBitForBitWhereverItWasStopped) {
  Recorder whole;
  run("whole", testing::toy_training(40), whole);
  // 7 batches an epoch: 7 and 14 are ends of epochs; 10 is a validation, 5 a checkpoint, 8 a snapshot.
  for (const int64_t stop_at : {1, 5, 7, 8, 10, 14, 19}) {
    const std::string name = fmt::format("stopped{}", stop_at);
    Recorder first, second;
    const TrainSummary stopped = run(name, testing::toy_training(40), first, {},
                                     [&] { return static_cast<int64_t>(first.steps.size()) >= stop_at; });
    EXPECT_EQ(stopped.reason, EndReason::kStopped);
    EXPECT_EQ(stopped.steps, stop_at);
    TrainOptions options = testing::toy_training(40);
    options.resume = true;
    run(name, options, second);
    ASSERT_TRUE(second.start.has_value());
    EXPECT_EQ(second.start->step, stop_at);
    EXPECT_EQ(second.losses(), tail(whole.losses(), static_cast<size_t>(stop_at))) << stop_at;
    EXPECT_EQ(model_of(name), model_of("whole")) << stop_at;
    std::vector<double> validations;
    for (const auto* recorder : {&first, &second})
      for (const auto& v : recorder->validations) validations.push_back(v.result.score);
    std::vector<double> expected;
    for (const auto& v : whole.validations) expected.push_back(v.result.score);
    EXPECT_EQ(validations, expected) << stop_at;
  }
}

TEST_F(Trainer, ResumesWithMovingAverageAccumulationAndCosine) {
  TrainOptions options = testing::toy_training(24);
  options.average = 0;
  options.ema = 0.9;
  options.accumulate = 2;
  options.schedule.kind = optim::ScheduleKind::kCosine;
  options.schedule.total = 24;
  options.adam.decoupled = true;
  options.adam.weight_decay = 0.01f;
  Recorder whole, first, second;
  run("whole", options, whole);
  run("m", options, first, {}, [&] { return first.steps.size() >= 9; });
  options.resume = true;
  run("m", options, second);
  EXPECT_EQ(second.losses(), tail(whole.losses(), 9));
  EXPECT_EQ(model_of("m"), model_of("whole"));
}

TEST_F(Trainer, LearnsAndResumesBitForBitWithMuon) {
  TrainOptions options = testing::toy_training(300);
  options.muon = options.adam.decoupled = true;
  Recorder whole, first, second;
  ToyTask task({.dropout = 0});
  run("whole", options, whole, task);
  EXPECT_GT(task.accuracy(), 0.9);
  run("m", options, first, {.dropout = 0}, [&] { return first.steps.size() >= 9; });
  options.resume = true;
  run("m", options, second, {.dropout = 0});
  EXPECT_EQ(second.losses(), tail(whole.losses(), 9));
  EXPECT_EQ(model_of("m"), model_of("whole"));
  options.momentum = 0.9f;
  EXPECT_THAT(reason_of([&] { run("m", options, second, {.dropout = 0}); }), ::testing::HasSubstr("--momentum"));
}

TEST_F(Trainer, AFinishedTrainingCanBeExtended) {
  Recorder whole, first, second, again;
  run("whole", testing::toy_training(30), whole);
  run("m", testing::toy_training(13), first);
  TrainOptions options = testing::toy_training(30);
  options.resume = true;
  run("m", options, second);
  EXPECT_EQ(second.losses(), tail(whole.losses(), 13));
  // Resuming what is finished does nothing.
  const std::string before = read_file(folder_ / "m" / "metrics.jsonl");
  run("m", options, again);
  EXPECT_TRUE(again.steps.empty());
  EXPECT_TRUE(again.validations.empty());
  EXPECT_EQ(read_file(folder_ / "m" / "metrics.jsonl"), before);
}

TEST_F(Trainer, RefusesAnOutputThatIsInUse) {
  Recorder recorder;
  run("m", testing::toy_training(3), recorder);
  EXPECT_THAT(reason_of([&] { run("m", testing::toy_training(3), recorder); }), ::testing::HasSubstr("--resume"));
  std::filesystem::create_directories(folder_ / "other");
  write_file_atomically(folder_ / "other" / "thesis.txt", "precious");
  TrainOptions options = testing::toy_training(3);
  options.resume = true;
  EXPECT_THAT(reason_of([&] { run("other", options, recorder); }), ::testing::HasSubstr("not written by a training"));
  EXPECT_EQ(read_file(folder_ / "other" / "thesis.txt"), "precious");
}

TEST_F(Trainer, ResumingNothingBeginsAnew) {
  TrainOptions options = testing::toy_training(3);
  options.resume = true;
  Recorder fresh, emptied;
  run("m", options, fresh);
  ASSERT_TRUE(fresh.start && fresh.start->nothing_to_resume);
  EXPECT_EQ(fresh.steps.size(), 3u);
  std::filesystem::remove_all(folder_ / "m" / "checkpoints");
  run("m", options, emptied);
  ASSERT_TRUE(emptied.start && emptied.start->nothing_to_resume);
  EXPECT_EQ(emptied.losses(), fresh.losses());
}

TEST_F(Trainer, NamesTheOptionsThatDifferOnResuming) {
  Recorder recorder;
  run("m", testing::toy_training(3), recorder);
  TrainOptions base = testing::toy_training(6);
  base.resume = true;
  const std::vector<std::pair<const char*, std::function<void(TrainOptions&)>>> changes = {
      {"--seed", [](TrainOptions& o) { o.seed = 9; }},
      {"--accumulate", [](TrainOptions& o) { o.accumulate = 3; }},
      {"--learning-rate", [](TrainOptions& o) { o.schedule.peak = 1; }},
      {"--warmup", [](TrainOptions& o) { o.schedule.warmup = 1; }},
      {"--schedule", [](TrainOptions& o) { o.schedule.kind = optim::ScheduleKind::kConstant; }},
      {"--optimizer", [](TrainOptions& o) { o.adam.decoupled = false; }},
      {"--optimizer", [](TrainOptions& o) { o.muon = true; }},
      {"--beta1", [](TrainOptions& o) { o.adam.beta1 = 0.5f; }},
      {"--beta2", [](TrainOptions& o) { o.adam.beta2 = 0.5f; }},
      {"--epsilon", [](TrainOptions& o) { o.adam.epsilon = 1; }},
      {"--weight-decay", [](TrainOptions& o) { o.adam.weight_decay = 1; }},
      {"--clip-norm", [](TrainOptions& o) { o.clip_norm = 3; }},
      {"--ema", [](TrainOptions& o) { o.average = 0, o.ema = 0.5; }}};
  for (const auto& [name, change] : changes) {
    TrainOptions options = base;
    change(options);
    EXPECT_THAT(reason_of([&] { run("m", options, recorder); }), ::testing::HasSubstr(name));
  }
  EXPECT_THAT(reason_of([&] { run("m", base, recorder, {.rows = 3}); }), ::testing::HasSubstr("--rows (16 at"));
  EXPECT_EQ(reason_of([&] { run("m", base, recorder); }), "no error");
}

TEST_F(Trainer, SkipsStepsThatAreNotFinite) {
  ToyTask task;
  task.nan_loss = {{0, 3}};
  task.nan_gradient = {{0, 5}};
  Recorder recorder;
  std::vector<std::vector<float>> values;
  recorder.on_step = [&](const StepReport&) { values.push_back(task.parameters().values().to_vector<float>()); };
  const TrainSummary summary = run("m", testing::toy_training(9), recorder, task);
  EXPECT_EQ(summary.skipped, 2);
  for (size_t i = 0; i < 9; ++i) EXPECT_EQ(recorder.steps[i].skipped, i == 3 || i == 5) << i;
  EXPECT_EQ(values[3], values[2]);
  EXPECT_EQ(values[5], values[4]);
  EXPECT_NE(values[4], values[3]);
  EXPECT_NE(values[6], values[5]);
}

TEST_F(Trainer, EndsAfterTwentyFiveBadStepsInARow) {
  ToyTask task;
  Recorder recorder;
  recorder.on_step = [&](const StepReport& report) { task.always_nan = report.step >= 12; };
  try {
    run("m", testing::toy_training(100), recorder, task);
    FAIL() << "did not end";
  } catch (const DivergedError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("25 steps in a row"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("checkpoints/step-000035"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("1:5 1:6 2:0"));  // steps 13 to 15
    EXPECT_THAT(error.what(), ::testing::HasSubstr("toy 5.1"));
  }
  EXPECT_EQ(recorder.steps.size(), 37u);
  EXPECT_NE(models::load_seq2seq(io::ModelFolder::open(folder_ / "m")), nullptr);
}

TEST_F(Trainer, CountsBadStepsAcrossAResume) {
  ToyTask task;
  task.always_nan = true;
  Recorder first, second;
  TrainOptions options = testing::toy_training(100);
  run("m", options, first, task, [&] { return first.steps.size() >= 20; });
  options.resume = true;
  EXPECT_THROW(run("m", options, second, task), DivergedError);
  EXPECT_EQ(second.steps.size(), 5u);
}

TEST_F(Trainer, StopsWhenValidationGetsNoBetter) {
  ToyTask task;
  task.scores = {1, 3, 2, 2.5, 1, 0};
  TrainOptions options = testing::toy_training(200);
  options.valid_every = 4;
  options.patience = 3;
  options.average = 0;
  Recorder recorder;
  const TrainSummary summary = run("m", options, recorder, task);
  EXPECT_EQ(summary.reason, EndReason::kPatience);
  EXPECT_EQ(summary.steps, 20);
  ASSERT_TRUE(summary.best);
  EXPECT_EQ(summary.best->step, 8);
  EXPECT_EQ(summary.best->result.score, 3);
}

TEST_F(Trainer, PatienceNeedsHeldOutData) {
  TrainOptions options = testing::toy_training(20);
  options.patience = 3;
  Recorder recorder;
  EXPECT_THAT(reason_of([&] { run("m", options, recorder, {.validation = false}); }),
              ::testing::HasSubstr("--patience counts validations"));
}

TEST_F(Trainer, AModelWhoseLossIsNoNumberIsNeverTheBest) {
  ToyTask task;
  task.scores = {1, 2};
  task.nan_validation = true;
  TrainOptions options = testing::toy_training(8);
  options.valid_every = 4;
  Recorder recorder;
  EXPECT_FALSE(run("m", options, recorder, task).best);
  for (const ValidationReport& report : recorder.validations) EXPECT_FALSE(report.best);
}

TEST_F(Trainer, KeepsTheBestModelAndTheBestCheckpoint) {
  ToyTask task;
  task.scores = {1, 5, 2, 3, 4};
  TrainOptions options = testing::toy_training(20);
  options.valid_every = 4;
  options.save_every = 4;
  options.average = 0;
  options.keep_last = 1;
  Recorder recorder;
  std::vector<float> at_8;
  recorder.on_step = [&](const StepReport& report) {
    if (report.step == 8) at_8 = task.parameters().values().to_vector<float>();
  };
  run("m", options, recorder, task);
  std::set<std::string> kept;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "m" / "checkpoints"))
    kept.insert(entry.path().filename());
  EXPECT_EQ(kept, (std::set<std::string>{"step-000008", "step-000020"}));
  const auto model = models::load_seq2seq(io::ModelFolder::open(folder_ / "m"));
  EXPECT_EQ(model->parameters().values().to_vector<float>(), at_8);
}

TEST_F(Trainer, TheAverageOfTheLastSnapshotsIsTriedAtTheEnd) {
  for (const double average_score : {9.0, 0.5}) {
    ToyTask task;
    task.scores = {1, average_score};
    TrainOptions options = testing::toy_training(12);
    options.valid_every = 12;
    Recorder recorder;
    std::vector<double> sum(task.parameters().values().to_vector<float>().size(), 0);
    recorder.on_step = [&](const StepReport& report) {
      if (report.step % 4 != 0) return;
      const auto values = task.parameters().values().to_vector<float>();
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += values[i];
    };
    const std::string name = fmt::format("m{}", average_score);
    const TrainSummary summary = run(name, options, recorder, task);
    ASSERT_TRUE(summary.best);
    EXPECT_EQ(summary.best->weights, average_score > 1 ? "average" : "current");
    const auto last = task.parameters().values().to_vector<float>();  // the task itself is left as it was trained
    const auto kept = models::load_seq2seq(io::ModelFolder::open(folder_ / name))->parameters().values();
    const auto values = kept.to_vector<float>();
    for (size_t i = 0; i < sum.size(); ++i) {
      const auto mean = static_cast<float>(sum[i] / 3);
      ASSERT_FLOAT_EQ(values[i], average_score > 1 ? mean : last[i]) << i;
    }
  }
}

TEST_F(Trainer, WithoutValidationTheFolderHoldsTheLatestAndThenTheAverage) {
  Recorder recorder;
  const testing::ToyOptions toy{.validation = false};
  std::string at_5;
  const auto stop = [&] { return recorder.steps.size() >= 7; };
  run("m", testing::toy_training(12), recorder, toy, stop);
  const auto checkpoint = io::latest_checkpoint(folder_ / "m" / "checkpoints");
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(read_file(checkpoint->path() / "model.safetensors"), model_of("m"));
  TrainOptions options = testing::toy_training(12);
  options.resume = true;
  Recorder rest;
  const TrainSummary summary = run("m", options, rest, toy);
  EXPECT_FALSE(summary.best);
  EXPECT_NE(read_file(io::latest_checkpoint(folder_ / "m" / "checkpoints")->path() / "model.safetensors"),
            model_of("m"));
}

TEST_F(Trainer, EveryLimitEndsIt) {
  Recorder by_epochs, by_minutes;
  TrainOptions options = testing::toy_training(0);
  options.max_epochs = 2;
  options.accumulate = 3;
  const TrainSummary epochs = run("e", options, by_epochs);
  EXPECT_EQ(epochs.reason, EndReason::kMaxEpochs);
  EXPECT_EQ(epochs.steps, 5);  // 14 batches, three a step: the last one has two
  EXPECT_LT(by_epochs.steps[4].targets, by_epochs.steps[3].targets);
  options = testing::toy_training(0);
  options.max_minutes = 0.3 / 60;
  const TrainSummary minutes = run("m", options, by_minutes);
  EXPECT_EQ(minutes.reason, EndReason::kMaxMinutes);
  EXPECT_GE(minutes.seconds, 0.3);
}

TEST_F(Trainer, AStopDuringValidationIsMadeUpFor) {
  Recorder whole, first, second;
  run("whole", testing::toy_training(14), whole);
  // The loop asks once after step 10 before it validates; the validation asks itself.
  run("m", testing::toy_training(14), first, {}, [&] { return first.steps.size() >= 10 && first.validations.empty(); });
  EXPECT_TRUE(first.validations.empty());
  TrainOptions options = testing::toy_training(14);
  options.resume = true;
  run("m", options, second);
  ASSERT_FALSE(second.validations.empty());
  EXPECT_EQ(second.validations[0].step, 10);
  EXPECT_EQ(second.validations[0].result.score, whole.validations[0].result.score);
  EXPECT_EQ(second.losses(), tail(whole.losses(), 10));
}

TEST_F(Trainer, OnlyOneProcessTrainsIntoAFolder) {
  Recorder recorder;
  bool refused = false;
  recorder.on_step = [&](const StepReport& report) {
    if (report.step != 2) return;
    TrainOptions options = testing::toy_training(4);
    options.resume = true;
    Recorder other;
    refused = reason_of([&] { run("m", options, other); }).find("another process") != std::string::npos;
  };
  run("m", testing::toy_training(4), recorder);
  EXPECT_TRUE(refused);
}

}  // namespace
}  // namespace heed::train
