#include "heed/train/averaging.h"

#include <gmock/gmock.h>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/threads.h"
#include "heed/io/model_folder.h"
#include "heed/train/trainer.h"
#include "shared_files.h"
#include "toy_task.h"

namespace heed::train {
namespace {

void write_model(const std::filesystem::path& folder, uint64_t seed) {
  testing::ToyTask task({.seed = seed});
  io::ModelContent content = task.content();
  content.add_files = [&](const std::filesystem::path& to) { write_file_atomically(to / "source.spm", "pieces"); };
  io::write_model_folder(folder, content);
}

TEST(Averaging, EveryTensorIsTheMean) {
  testing::TemporaryFolder folder;
  for (uint64_t seed = 1; seed <= 3; ++seed) write_model(folder / std::to_string(seed), seed);
  average_models({folder / "1", folder / "2", folder / "3"}, folder / "mean");
  const auto mean = io::ModelFolder::open(folder / "mean");
  const auto a = io::ModelFolder::open(folder / "1"), b = io::ModelFolder::open(folder / "2"),
             c = io::ModelFolder::open(folder / "3");
  EXPECT_EQ(mean.names(), a.names());
  EXPECT_EQ(mean.config(), a.config());
  EXPECT_EQ(mean.generation_config(), a.generation_config());
  EXPECT_EQ(read_file(mean.file("source.spm")), "pieces");
  for (const auto& name : mean.names()) {
    const auto values = mean.load(name).to_vector<float>(), x = a.load(name).to_vector<float>(),
               y = b.load(name).to_vector<float>(), z = c.load(name).to_vector<float>();
    for (size_t i = 0; i < values.size(); ++i)
      ASSERT_FLOAT_EQ(values[i], static_cast<float>((double(x[i]) + double(y[i]) + double(z[i])) / 3)) << name;
  }
}

TEST(Averaging, TakesCheckpointsToo) {
  testing::TemporaryFolder folder;
  set_thread_count(1);
  testing::ToyTask task;
  testing::Recorder recorder;
  TrainOptions options = testing::toy_training(4);
  options.output = folder / "m";
  options.save_every = 2;
  options.average = 0;
  std::vector<std::vector<float>> at;
  recorder.on_step = [&](const StepReport&) { at.push_back(task.parameters().values().to_vector<float>()); };
  train(task, options, recorder, testing::never);
  set_thread_count(0);
  average_models({folder / "m/checkpoints/step-000002", folder / "m/checkpoints/step-000004/"}, folder / "mean");
  const auto mean = io::ModelFolder::open(folder / "mean");
  const auto first = task.parameters().named().front();  // at the begin of the flat values
  const auto values = mean.load(first.name).to_vector<float>();
  for (size_t i = 0; i < values.size(); ++i) ASSERT_FLOAT_EQ(values[i], (at[1][i] + at[3][i]) / 2);
  EXPECT_FALSE(mean.has_file("training.json"));
  EXPECT_FALSE(mean.has_file("metrics.jsonl"));
}

TEST(Averaging, RefusesWhatDoesNotFit) {
  testing::TemporaryFolder folder;
  write_model(folder / "1", 1);
  write_model(folder / "2", 2);
  const auto reason = [&](const std::vector<std::filesystem::path>& inputs, const std::string& output) -> std::string {
    try {
      average_models(inputs, folder / output);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(reason({}, "x"), ::testing::HasSubstr("no models"));
  EXPECT_THAT(reason({folder / "1"}, "2"), ::testing::HasSubstr("exists already"));
  EXPECT_THAT(reason({folder / "1", folder / "nothing"}, "x"), ::testing::HasSubstr("nothing"));
  std::filesystem::remove(folder / "2" / "model.safetensors");
  const Tensor other = Tensor::full({2}, 1);
  io::write_safetensors(folder / "2" / "model.safetensors", {{"other", other.view()}});
  EXPECT_THAT(reason({folder / "1", folder / "2"}, "x"), ::testing::HasSubstr("has no tensor"));
  EXPECT_FALSE(std::filesystem::exists(folder / "x"));
}

}  // namespace
}  // namespace heed::train
