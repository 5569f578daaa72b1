// heed verify as a process: recordings held in f32 and trained in bf16, and what it refuses.
#include "cli/program_fixture.h"

namespace heed::cli {
namespace {

using namespace heed::testing;

const std::string kFolder = source_path("tests/golden/models/marian_separate");

// The row of the loss as training computes it.
Json training_loss(const Json& report) {
  for (const Json& check : report["checks"])
    if (check["what"] == "loss" && check["path"] == "training") return check;
  return {};
}

TEST(VerifyCommand, HoldsATrainingInBf16ToBoundsOfItsOwn) {
  const Json exact = run_json({"verify", kFolder}), rounded = run_json({"verify", kFolder, "--training-dtype", "bf16"});
  ASSERT_TRUE(training_loss(exact).is_object()) << exact.dump(2);
  EXPECT_EQ(rounded["checks"].size(), exact["checks"].size());
  EXPECT_NE(training_loss(rounded).dump(), training_loss(exact).dump());
}

TEST(VerifyCommand, RefusesWhatItCannotHold) {
  run_refused({"verify", kFolder, "--training-dtype", "bf16", "--reference", kFolder, "--text", "x"}, 2,
              "--training-dtype is of recordings");
  run_refused({"verify", kFolder, "--training-dtype", "f16"}, 2, "training-dtype");
}

}  // namespace
}  // namespace heed::cli
