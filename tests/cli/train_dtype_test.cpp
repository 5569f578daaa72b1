// --dtype of trainings: what is chosen, said, kept for --resume and refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run_program.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "heed/tensor/backends.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using heed::testing::run_heed;
using ::testing::HasSubstr;

class TrainDType : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string source, target;
    for (int i = 0; i < 60; ++i) {
      source += fmt::format("the {} cats see {} dogs\n", i, 7 * i);
      target += fmt::format("die {} katzen sehen {} hunde\n", i, 7 * i);
    }
    write_file_atomically(folder_ / "train.en", source);
    write_file_atomically(folder_ / "train.de", target);
  }

  heed::testing::ProgramResult train(const std::string& output, const std::vector<std::string>& options) const {
    std::vector<std::string> arguments = {"train",          "translation",
                                          "--source",       folder_ / "train.en",
                                          "--target",       folder_ / "train.de",
                                          "--output",       folder_ / output,
                                          "--layers",       "1",
                                          "--d-model",      "32",
                                          "--ffn",          "32",
                                          "--heads",        "2",
                                          "--vocab-size",   "80",
                                          "--batch-tokens", "200",
                                          "--average",      "0"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return run_heed(arguments);
  }

  heed::testing::TemporaryFolder folder_;
};

TEST_F(TrainDType, IsSaidAndKeptForResume) {
  const auto begun = train("m", {"--max-steps", "3", "--dtype", "bf16"});
  ASSERT_EQ(begun.exit_code, 0) << begun.error;
  EXPECT_THAT(begun.error, HasSubstr("matrix products in bf16 ("));
  const auto other = train("m", {"--max-steps", "5", "--dtype", "f32", "--resume"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.error, HasSubstr("dtype"));
  const auto same = train("m", {"--max-steps", "5", "--dtype", "bf16", "--resume"});
  EXPECT_EQ(same.exit_code, 0) << same.error;
  EXPECT_THAT(same.error, HasSubstr("resumed at step 3"));
}

TEST_F(TrainDType, AutomaticallyBf16WhereTheProcessorHasAmx) {
  const auto automatic = train("a", {"--max-steps", "2"});
  ASSERT_EQ(automatic.exit_code, 0) << automatic.error;
  const std::string expected = backend().bf16_instructions() == "AMX" ? "bf16 (AMX)" : "f32";
  EXPECT_THAT(automatic.error, HasSubstr("matrix products in " + expected + "\n"));
  EXPECT_EQ(train("b", {"--dtype", "f16"}).exit_code, 2);
}

TEST_F(TrainDType, OfABenchmark) {
  for (const char* const dtype : {"f32", "bf16"}) {
    const auto result = run_heed({"bench", "train", "--sentences", "2", "--vocab", "50", "--steps", "1", "--warm-up",
                                  "0", "--dtype", dtype, "--json"});
    ASSERT_EQ(result.exit_code, 0) << result.error;
    EXPECT_EQ(parse_json(result.output, "output")["dtype"], dtype);
  }
}

}  // namespace
}  // namespace heed::cli
