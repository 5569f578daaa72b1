// A training against a hostile world: killed at any instant, and a disk that is full for a while.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <thread>

#include "heed/base/files.h"
#include "heed/base/log.h"
#include "heed/base/random.h"
#include "heed/base/threads.h"
#include "heed/io/checkpoint.h"
#include "heed/models/registry.h"
#include "heed/train/output_folder.h"
#include "shared_files.h"
#include "toy_task.h"

namespace heed::train {
namespace {

namespace fs = std::filesystem;
using testing::Recorder;
using testing::ToyTask;

constexpr const char* kChildFolder = "HEED_TRAIN_CHILD";

// How often the training is killed: HEED_FAULT_KILLS for a long run, of correspondingly more steps.
int kills_wanted() {
  const char* wanted = std::getenv("HEED_FAULT_KILLS");
  return wanted ? std::atoi(wanted) : 8;
}

int64_t steps() { return std::max(300, 40 * kills_wanted()); }

TrainOptions child_options(const fs::path& output) {
  TrainOptions options = testing::toy_training(steps());
  options.output = output;
  options.resume = true;
  options.save_every = 5;
  return options;
}

void train_child(const fs::path& output) {
  set_thread_count(1);
  ToyTask task;
  Recorder recorder;
  train(task, child_options(output), recorder, testing::never);
  set_thread_count(0);
}

// The losses of metrics.jsonl by step, as they are written there.
std::map<int64_t, std::string> logged_losses(const fs::path& folder) {
  std::map<int64_t, std::string> losses;
  std::ifstream file(folder / "metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    const Json record = parse_json(line, "metrics.jsonl");
    if (!record.contains("loss")) continue;
    EXPECT_TRUE(losses.emplace(record["step"], record["loss"].dump()).second) << line;
  }
  return losses;
}

// Not a test of its own: what KilledAtAnyInstant starts as processes.
TEST(TrainFaults, Child) {
  const char* folder = std::getenv(kChildFolder);
  if (folder == nullptr) GTEST_SKIP() << "runs as a child only";
  train_child(folder);
}

pid_t start_child(const fs::path& folder) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv(kChildFolder, folder.c_str(), 1);
    const int nowhere = ::open("/dev/null", O_WRONLY);
    ::dup2(nowhere, STDOUT_FILENO);
    ::execl("/proc/self/exe", "heed_test_train", "--gtest_filter=TrainFaults.Child", nullptr);
    ::_exit(127);
  }
  return child;
}

TEST(TrainFaults, KilledAtAnyInstantItGoesOnBitForBit) {
  testing::TemporaryFolder folder;
  train_child(folder / "whole");
  const auto expected = logged_losses(folder / "whole");
  ASSERT_EQ(expected.size(), static_cast<size_t>(steps()));
  Random random(20240601);
  int kills = 0;
  for (int i = 0; i < kills_wanted(); ++i) {
    const pid_t child = start_child(folder / "m");
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + random.below(250)));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) ++kills;
    if (!fs::exists(folder / "m")) continue;  // killed before it began
    EXPECT_NO_THROW(models::load_seq2seq(io::ModelFolder::open(folder / "m")));
    std::error_code none_yet;
    for (const auto& entry : fs::directory_iterator(folder / "m/checkpoints", none_yet)) {
      const bool aside = !entry.path().filename().string().starts_with("step-");
      EXPECT_TRUE(aside || (io::CheckpointReader::open(entry.path()), true)) << entry.path();
    }
  }
  EXPECT_GE(kills, 1);
  RecordProperty("kills", kills);
  std::printf("killed %d times\n", kills);
  train_child(folder / "m");
  EXPECT_EQ(logged_losses(folder / "m"), expected);
  EXPECT_EQ(read_file(folder / "m/model.safetensors"), read_file(folder / "whole/model.safetensors"));
}

// Files cannot grow beyond `bytes` while it lives, as if the disk were full.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  sighandler_t handler_;
};

TEST(TrainFaults, AFullDiskDoesNotEndTheTraining) {
  testing::TemporaryFolder folder;
  set_thread_count(1);
  ToyTask task, undisturbed_task;
  Recorder recorder, undisturbed;
  TrainOptions options = testing::toy_training(30);
  options.output = folder / "whole";
  train(undisturbed_task, options, undisturbed, testing::never);

  options.output = folder / "m";
  std::optional<FileSizeLimit> full;
  recorder.on_step = [&](const StepReport& report) {
    if (report.step == 11) full.emplace(8192);  // below the size of any file of tensors
    if (report.step == 22) full.reset();
    if (report.step == 21) {
      // In the midst of it: the old checkpoints and the model are whole, and nothing half-written lies about.
      EXPECT_EQ(io::latest_checkpoint(folder / "m/checkpoints")->step(), 10);
      EXPECT_NO_THROW(models::load_seq2seq(io::ModelFolder::open(folder / "m")));
      for (const auto& entry : fs::directory_iterator(folder / "m/checkpoints"))
        EXPECT_TRUE(entry.path().filename().string().starts_with("step-")) << entry.path();
    }
  };
  const TrainSummary summary = train(task, options, recorder, testing::never);
  EXPECT_TRUE(summary.saved);
  EXPECT_EQ(recorder.losses(), undisturbed.losses());
  EXPECT_EQ(recorder.checkpoints, (std::vector<int64_t>{5, 10, 25, 30}));
  EXPECT_EQ(io::latest_checkpoint(folder / "m/checkpoints")->step(), 30);
  EXPECT_NO_THROW(models::load_seq2seq(io::ModelFolder::open(folder / "m")));
  set_thread_count(0);
}

TEST(TrainFaults, ADiskFullToTheEndIsReported) {
  testing::TemporaryFolder folder;
  set_thread_count(1);
  ToyTask task;
  Recorder recorder;
  TrainOptions options = testing::toy_training(9);
  options.output = folder / "m";
  std::optional<FileSizeLimit> full;
  recorder.on_step = [&](const StepReport& report) {
    if (report.step == 6) full.emplace(8192);
  };
  const TrainSummary summary = train(task, options, recorder, testing::never);
  full.reset();
  EXPECT_FALSE(summary.saved);
  EXPECT_EQ(io::latest_checkpoint(folder / "m/checkpoints")->step(), 5);
  set_thread_count(0);
}

TEST(TrainFaults, ADamagedCheckpointGivesWayToTheOneBefore) {
  testing::TemporaryFolder folder;
  set_thread_count(1);
  Recorder whole, rest;
  TrainOptions options = testing::toy_training(20);
  options.output = folder / "m";
  {
    ToyTask task;
    train(task, options, whole, testing::never);
  }
  const fs::path file = folder / "m/checkpoints/step-000020/optimizer.safetensors";
  std::string bytes = read_file(file);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write_file_atomically(file, bytes);
  ToyTask task;
  options.resume = true;
  train(task, options, rest, testing::never);
  ASSERT_TRUE(rest.start);
  EXPECT_EQ(rest.start->step, 15);
  const std::vector<double> expected = whole.losses();
  EXPECT_EQ(rest.losses(), std::vector<double>(expected.begin() + 15, expected.end()));
  set_thread_count(0);
}

}  // namespace
}  // namespace heed::train
