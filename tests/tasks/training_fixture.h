// What tests of trainings share: small models, short courses, the batches of an epoch, and what holds of every task: a
// training that is killed goes on bit for bit, and every option counts.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "heed/base/files.h"
#include "heed/base/threads.h"
#include "heed/tasks/model_start.h"
#include "heed/train/trainer.h"
#include "message_of.h"
#include "shared_files.h"

namespace heed::testing {

// A StopFlag.
inline bool never() { return false; }

// A new model that learns within seconds, without dropout.
inline tasks::ModelStart small_model(const std::string& family, int layers, int positions) {
  tasks::ModelStart start;
  start.family = family;
  start.structure.layers = layers;
  start.structure.d_model = 32;
  start.structure.heads = 2;
  start.structure.positions = positions;
  start.structure.dropout = 0.0f;
  return start;
}

// So many steps, validated and saved at their end alone.
inline train::TrainOptions short_course(const std::filesystem::path& output, int64_t steps, double rate) {
  train::TrainOptions o;
  o.output = output;
  o.max_steps = steps;
  o.schedule.peak = rate;
  o.valid_every = o.save_every = 0;
  o.average = 0;
  return o;
}

// The same without a fall of the rate.
inline train::TrainOptions constant_course(const std::filesystem::path& output, int64_t steps, double rate) {
  train::TrainOptions o = short_course(output, steps, rate);
  o.schedule.kind = optim::ScheduleKind::kConstant;
  return o;
}

// The same as language models are trained: AdamW with a warm-up and a clipped gradient.
inline train::TrainOptions warmed_course(const std::filesystem::path& output, int64_t steps, double rate) {
  train::TrainOptions o = short_course(output, steps, rate);
  o.schedule.warmup = 20;
  o.adam.decoupled = true;
  o.clip_norm = 1;
  return o;
}

inline train::TrainSummary run(tasks::TrainingTask& task, const train::TrainOptions& course) {
  train::TrainObserver silent;
  return train::train(task, course, silent, never);
}

inline tasks::StreamedBatch first_batch(const tasks::TrainingTask& task, uint64_t epoch = 0) {
  return task.batches().stream({epoch, 0}, 1)->next();
}

// All batches of an epoch.
inline std::vector<tasks::StreamedBatch> epoch_of(const tasks::TrainingTask& task, uint64_t epoch) {
  const auto stream = task.batches().stream({epoch, 0}, 2);
  std::vector<tasks::StreamedBatch> batches;
  do batches.push_back(stream->next());
  while (!batches.back().last_in_epoch);
  return batches;
}

// What the task, whose batches are of this kind, made.
template <class Batch>
const Batch& batch_in(const tasks::StreamedBatch& streamed) {
  return static_cast<const Batch&>(*streamed.batch);
}

// The loss of the first batch without dropout, and how many targets it has.
inline std::pair<double, int64_t> first_loss(const tasks::TrainingTask& task) {
  const tasks::StreamedBatch streamed = first_batch(task);
  return {task.loss(*streamed.batch, {}, 1).loss_sum, streamed.batch->targets()};
}

template <class Options>
using Changes = std::vector<std::pair<std::string_view, std::function<void(Options&)>>>;

// Each change makes another first batch, or another loss of it, and another identity; but the identity's seed is the
// loop's.
template <class Training, class Options>
void expect_every_option_counts(const Options& usual, const Changes<Options>& changes) {
  const Training task(usual);
  const auto base = first_loss(task);
  EXPECT_EQ(first_loss(Training(usual)), base);
  for (const auto& [name, change] : changes) {
    Options o = usual;
    change(o);
    const Training changed(o);
    EXPECT_NE(first_loss(changed), base) << name;
    if (name != "seed") {
      EXPECT_NE(changed.identity(), task.identity()) << name;
    }
  }
}

// Keeps the losses of a training and throws Death behind step `last`; 0: behind none.
struct Mortal final : train::TrainObserver {
  struct Death {};

  explicit Mortal(int64_t last = 0) : last_(last) {}
  void stepped(const train::StepReport& report) override {
    losses.push_back(report.loss);
    if (report.step == last_) throw Death();
  }

  std::vector<double> losses;

 private:
  int64_t last_;
};

class TrainingTest : public ::testing::Test {
 protected:
  void SetUp() override { set_thread_count(1); }
  void TearDown() override { set_thread_count(0); }

  std::string file(const std::string& name) const { return folder_ / name; }
  // Writes it first.
  std::string file(const std::string& name, std::string_view text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return file(name);
  }

  // The tokenizer of the folders that the training writes.
  auto written_tokenizer(tasks::TrainingTask& task) const {
    std::filesystem::create_directories(folder_ / "tokenizer");
    task.content().add_files(folder_ / "tokenizer");
    return text::load_tokenizer(folder_ / "tokenizer");
  }

  // A training that dies two steps behind its checkpoint at step `saved` and is resumed ends as the unbroken one:
  // with the same losses, parameters and model, bit for bit. They stand in the folders parts/ and whole/.
  template <class Training, class Options>
  void expect_goes_on_bit_for_bit(Options options, train::TrainOptions course, int64_t saved) const {
    ASSERT_GT(course.max_steps, saved + 2);
    course.save_every = saved;
    course.output = folder_ / "whole";
    Training whole(options), first(options);
    Mortal unbroken, dying(saved + 2), resumed;
    train::train(whole, course, unbroken, never);
    course.output = folder_ / "parts";
    EXPECT_THROW(train::train(first, course, dying, never), Mortal::Death);
    if constexpr (requires { options.start; }) options.start.resume = course.output;
    else options.resume = course.output;
    course.resume = true;
    Training second(options);
    EXPECT_EQ(second.identity(), first.identity());
    train::train(second, course, resumed, never);
    EXPECT_EQ(resumed.losses, std::vector<double>(unbroken.losses.begin() + saved, unbroken.losses.end()));
    EXPECT_EQ(second.parameters().values().template to_vector<float>(),
              whole.parameters().values().template to_vector<float>());
    EXPECT_TRUE(read_file(folder_ / "parts/model.safetensors") == read_file(folder_ / "whole/model.safetensors"));
  }

  TemporaryFolder folder_;
};

}  // namespace heed::testing
