// --dtype of every command that only runs a model: bf16 rounds its matrices, auto leaves them as they are in the
// folder.
#include "cli/model_commands.h"

namespace heed::cli {
namespace {

using namespace heed::testing;

class RunDType : public ModelCommands {};

TEST_P(RunDType, Bf16RoundsAndAutoDoesNot) {
  HEED_NEEDS_SHARED("goldens/" + GetParam().model);
  const std::vector<Json> exact = results({"--dtype", "f32"}), rounded = results({"--dtype", "bf16"});
  ASSERT_FALSE(exact.empty());
  EXPECT_EQ(results({"--dtype", "auto"}), exact);
  EXPECT_EQ(rounded.size(), exact.size());
  if (GetParam().shows_rounding) {
    EXPECT_NE(rounded, exact);
  }
}

INSTANTIATE_TEST_SUITE_P(Commands, RunDType, model_commands(), name_of_command);

}  // namespace
}  // namespace heed::cli
