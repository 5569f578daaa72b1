// Several processes that train together under mpirun: the losses are those of one process with the larger batch, the
// training goes on with another number of processes, and a process that dies or fails ends the others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include "cli/run_together.h"
#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "heed/base/random.h"

namespace heed::cli {
namespace {

using heed::testing::expect_near;
using heed::testing::run_heed;
using ::testing::HasSubstr;

class Distributed : public ::testing::Test {
 protected:
  void SetUp() override {
    HEED_NEEDS_PROCESSES();
    Random random(3);
    std::ofstream source(folder_ / "source"), target(folder_ / "target"), labelled(folder_ / "train.tsv");
    labelled << "text\tlabel\n";
    for (int i = 0; i < 400; ++i) {
      std::string a, b;
      for (uint32_t words = 3 + random.below(7); words > 0; --words) {
        const uint32_t word = random.below(20);
        a += fmt::format("{}w{}", a.empty() ? "" : " ", word);
        b += fmt::format("{}v{}", b.empty() ? "" : " ", word);
      }
      source << a << '\n';
      target << b << '\n';
      labelled << a << '\t' << (a.find("w1") != std::string::npos ? "yes" : "no") << '\n';
    }
  }

  std::string path(const std::string& name) const { return folder_ / name; }

  std::vector<std::string> translation(const std::string& output, int batch_tokens) const {
    return {"train",
            "translation",
            "--source",
            path("source"),
            "--target",
            path("target"),
            "--vocab-size",
            "24",
            "--source-language",
            "a",
            "--target-language",
            "b",
            "--layers",
            "1",
            "--d-model",
            "32",
            "--heads",
            "2",
            "--ffn",
            "64",
            "--dropout",
            "0.2",
            "--dtype",
            "f32",
            "--batch-tokens",
            std::to_string(batch_tokens),
            "--log-every",
            "1",
            "--average",
            "0",
            "--threads",
            "1",
            "--output",
            path(output)};
  }
  std::vector<std::string> classification(const std::string& output, int batch) const {
    return {"train",
            "classification",
            "--train",
            path("train.tsv"),
            "--valid-fraction",
            "0.1",
            "--layers",
            "1",
            "--d-model",
            "32",
            "--vocab-size",
            "80",
            "--dropout",
            "0.2",
            "--dtype",
            "f32",
            "--schedule",
            "constant",
            "--warmup",
            "3",
            "--log-every",
            "1",
            "--threads",
            "1",
            "--batch-size",
            std::to_string(batch),
            "--output",
            path(output)};
  }

  static heed::testing::ProgramResult run_together(int processes, std::vector<std::string> arguments,
                                                   std::vector<std::string> more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return heed::testing::run_together(processes, std::move(arguments));
  }
  static heed::testing::ProgramResult run_alone(std::vector<std::string> arguments, std::vector<std::string> more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_heed(arguments);
  }

  std::vector<double> losses(const std::string& output) const { return heed::testing::losses_of(path(output)); }

  heed::testing::TemporaryFolder folder_;
};

TEST_F(Distributed, TwoProcessesAreOneWithTheDoubledBatch) {
  const auto two = run_together(2, translation("two", 150), {"--max-steps", "50"});
  ASSERT_EQ(two.exit_code, 0) << two.error;
  EXPECT_THAT(two.error, HasSubstr("2 processes"));
  ASSERT_EQ(run_alone(translation("one", 300), {"--max-steps", "50"}).exit_code, 0);
  expect_near(losses("two"), losses("one"), 50);
}

// Each has half of the moments: the same losses, and a checkpoint that others go on from.
TEST_F(Distributed, AShardedOptimizerIsTheWholeOne) {
  for (const std::string optimizer : {"adam", "muon"}) {
    const auto run = [&](int processes, const std::string& output, std::vector<std::string> more) {
      more.insert(more.end(), {"--optimizer", optimizer, "--save-every", "7"});
      const auto result = run_together(processes, translation(optimizer + output, 300 / processes), more);
      ASSERT_EQ(result.exit_code, 0) << result.error;
    };
    run(1, "one", {"--max-steps", "30"});
    run(2, "two", {"--max-steps", "30", "--shard-optimizer"});
    run(2, "parts", {"--max-steps", "16", "--shard-optimizer"});
    run(2, "parts", {"--max-steps", "20", "--shard-optimizer", "--resume"});
    run(1, "parts", {"--max-steps", "30", "--resume"});
    expect_near(losses(optimizer + "two"), losses(optimizer + "one"), 30);
    expect_near(losses(optimizer + "parts"), losses(optimizer + "one"), 30);
  }
}

TEST_F(Distributed, GoesOnWithAnotherNumberOfProcesses) {
  const auto first = run_together(2, classification("parts", 8), {"--max-steps", "20"});
  ASSERT_EQ(first.exit_code, 0) << first.error;
  const auto then = run_alone(classification("parts", 16), {"--max-steps", "50", "--resume"});
  ASSERT_EQ(then.exit_code, 0) << then.error;
  ASSERT_EQ(run_alone(classification("whole", 16), {"--max-steps", "50"}).exit_code, 0);
  expect_near(losses("parts"), losses("whole"), 50);
}

// The first process finds it, all take it; who goes on takes what the training began with, and tries nothing.
TEST_F(Distributed, TheBatchThatFitsIsThatOfAllProcesses) {
  const auto without_size = [&](const std::string& output) {
    std::vector<std::string> arguments = classification(output, 8);
    const auto size = std::find(arguments.begin(), arguments.end(), "--batch-size");
    arguments.erase(size, size + 2);
    return arguments;
  };
  const auto fitted = run_together(2, without_size("fitted"), {"--memory-limit", "1GB", "--max-steps", "5"});
  ASSERT_EQ(fitted.exit_code, 0) << fitted.error;
  EXPECT_THAT(fitted.error, HasSubstr("which holds a whole epoch: a step takes"));
  const int size = read_json(path("fitted/training.json"))["batch-size"];
  EXPECT_GE(size, 360);  // a tenth is held out
  const auto resumed =
      run_together(2, without_size("fitted"), {"--memory-limit", "1MB", "--max-steps", "12", "--resume"});
  ASSERT_EQ(resumed.exit_code, 0) << resumed.error;
  EXPECT_THAT(resumed.error, ::testing::Not(HasSubstr("a step takes")));
  EXPECT_EQ(read_json(path("fitted/training.json"))["batch-size"], size);
  ASSERT_EQ(run_alone(classification("one", size), {"--max-steps", "12"}).exit_code, 0);
  expect_near(losses("fitted"), losses("one"), 12);
}

// Each asks the teacher itself, for what both learn.
TEST_F(Distributed, ATeacherTeachesAllProcesses) {
  ASSERT_EQ(run_alone(classification("teacher", 16), {"--max-steps", "10"}).exit_code, 0);
  const std::vector<std::string> taught{"--teacher", path("teacher"), "--max-steps", "20"};
  const auto two = run_together(2, classification("two", 8), taught);
  ASSERT_EQ(two.exit_code, 0) << two.error;
  ASSERT_EQ(run_alone(classification("one", 16), taught).exit_code, 0);
  expect_near(losses("two"), losses("one"), 20);
}

TEST_F(Distributed, ABatchSmallerThanTheProcessesIsShared) {
  const auto three = run_together(3, classification("three", 1), {"--max-steps", "8"});
  ASSERT_EQ(three.exit_code, 0) << three.error;
  ASSERT_EQ(run_alone(classification("one", 3), {"--max-steps", "8"}).exit_code, 0);
  expect_near(losses("three"), losses("one"), 8);
}

TEST_F(Distributed, AFailureOfOneEndsAllWithItsMessage) {
  const auto failed = run_together(2, classification("bad", 8), {"--label-column", "nothing"});
  EXPECT_EQ(failed.exit_code, 4) << failed.error;
  EXPECT_THAT(failed.error, HasSubstr("no column is called nothing"));
}

// The process ids of the training's processes, by what they were started with.
std::vector<pid_t> processes_with(const std::string& argument) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "cmdline");
    const std::string line((std::istreambuf_iterator<char>(file)), {});
    if (line.starts_with(HEED_PROGRAM) && line.find(argument) != std::string::npos) found.push_back(std::stoi(name));
  }
  return found;
}

TEST_F(Distributed, ADeadProcessEndsTheOthers) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point killed;
  std::thread killer([&] {
    // Once there is a checkpoint.
    for (int i = 0; i < 600 && !std::filesystem::exists(path("dead/checkpoints/step-000005")); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const auto processes = processes_with(path("dead"));
    killed = Clock::now();
    if (!processes.empty()) ::kill(processes.back(), SIGKILL);
  });
  const auto result = run_together(2, translation("dead", 150), {"--max-steps", "100000", "--save-every", "5"});
  const auto ended = Clock::now();
  killer.join();
  EXPECT_NE(result.exit_code, 0);
  EXPECT_LT(ended - killed, std::chrono::seconds(10));
  EXPECT_THAT(result.error, HasSubstr("signal 9"));
  EXPECT_TRUE(processes_with(path("dead")).empty());
  const auto resumed = run_together(2, translation("dead", 150), {"--max-steps", "6", "--resume"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.error;
}

}  // namespace
}  // namespace heed::cli
