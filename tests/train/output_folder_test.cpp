#include "heed/train/output_folder.h"

#include <gmock/gmock.h>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "shared_files.h"
#include "toy_task.h"

namespace heed::train {
namespace {

namespace fs = std::filesystem;

TEST(OutputFolder, BeginsWithAModelReadyForUse) {
  testing::TemporaryFolder folder;
  testing::ToyTask task;
  for (const char* name : {"a", "deep/er/b", "trailing/"}) {
    OutputFolder output(folder / name, false);
    EXPECT_FALSE(output.latest());
    output.begin(task.content(), {{"seed", 1}});
    EXPECT_EQ(read_json(output.path() / "training.json"), (Json{{"seed", 1}}));
    EXPECT_FALSE(io::ModelFolder::open(folder / name).names().empty());
  }
  fs::create_directories(folder / "empty");
  EXPECT_NO_THROW(OutputFolder(folder / "empty", false));
}

TEST(OutputFolder, AllDifferencesAreNamed) {
  testing::TemporaryFolder folder;
  testing::ToyTask task;
  OutputFolder output(folder / "m", false);
  output.begin(task.content(), {{"seed", 1}, {"rate", 0.5}, {"same", "x"}, {"gone", true}});
  EXPECT_NO_THROW(output.go_on({{"same", "x"}, {"gone", true}, {"rate", 0.5}, {"seed", 1}}));
  try {
    output.go_on({{"seed", 2}, {"rate", 0.25}, {"same", "x"}, {"fresh", 3}});
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("--seed (1 at the beginning, 2 now), --rate (0.5 at the beginning"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("--fresh (nothing at the beginning, 3 now)"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("--gone (true at the beginning, nothing now)"));
    EXPECT_THAT(error.what(), ::testing::Not(::testing::HasSubstr("--same")));
  }
}

TEST(OutputFolder, WeightsAreReplacedAlone) {
  testing::TemporaryFolder folder;
  testing::ToyTask first({.seed = 1}), second({.seed = 2});
  OutputFolder output(folder / "m", false);
  output.begin(first.content(), Json::object());
  const auto open_before = io::ModelFolder::open(folder / "m");  // a reader keeps what it opened
  const std::string name = "model.shared.weight";
  const auto before = open_before.load(name).to_vector<float>();
  output.replace_weights(second.content());
  EXPECT_EQ(open_before.load(name).to_vector<float>(), before);
  EXPECT_NE(io::ModelFolder::open(folder / "m").load(name).to_vector<float>(), before);
}

TEST(OutputFolder, IsResumableWithAWholeCheckpointAlone) {
  testing::TemporaryFolder folder;
  testing::ToyTask task;
  EXPECT_FALSE(OutputFolder::is_resumable(folder / "m"));
  OutputFolder output(folder / "m", false);
  output.begin(task.content(), Json::object());
  EXPECT_FALSE(OutputFolder::is_resumable(folder / "m"));
  io::CheckpointWriter(output.checkpoints(), 3).write();
  EXPECT_TRUE(OutputFolder::is_resumable(folder / "m"));
  EXPECT_TRUE(output.latest());
  fs::remove(folder / "m" / "checkpoints" / "step-000003" / "manifest.json");
  EXPECT_FALSE(OutputFolder::is_resumable(folder / "m"));
}

}  // namespace
}  // namespace heed::train
