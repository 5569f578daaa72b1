// --dtype of trainings: what is chosen, said, kept for --resume and refused.
#include "cli/program_fixture.h"
#include "heed/tensor/backends.h"

namespace heed::cli {
namespace {

using namespace heed::testing;
using ::testing::HasSubstr;

class TrainDType : public ProgramTest {
 protected:
  TrainDType() {
    std::string source, target;
    for (int i = 0; i < 60; ++i) {
      source += fmt::format("the {} cats see {} dogs\n", i, 7 * i);
      target += fmt::format("die {} katzen sehen {} hunde\n", i, 7 * i);
    }
    file("train.en", source);
    file("train.de", target);
  }

  Arguments training(const std::string& output, const Arguments& options) const {
    const Arguments arguments{"train",          "translation",
                              "--source",       path("train.en"),
                              "--target",       path("train.de"),
                              "--output",       path(output),
                              "--layers",       "1",
                              "--d-model",      "32",
                              "--ffn",          "32",
                              "--heads",        "2",
                              "--vocab-size",   "80",
                              "--batch-tokens", "200",
                              "--average",      "0"};
    return with_more(arguments, options);
  }
};

TEST_F(TrainDType, IsSaidAndKeptForResume) {
  const auto begun = run_well(training("m", {"--max-steps", "3", "--dtype", "bf16"}));
  EXPECT_THAT(begun.error, HasSubstr("matrix products in bf16 ("));
  run_refused(training("m", {"--max-steps", "5", "--dtype", "f32", "--resume"}), 2, "dtype");
  const auto same = run_well(training("m", {"--max-steps", "5", "--dtype", "bf16", "--resume"}));
  EXPECT_THAT(same.error, HasSubstr("resumed at step 3"));
}

TEST_F(TrainDType, AutomaticallyBf16WhereThatIsFaster) {
  const auto automatic = run_well(training("a", {"--max-steps", "2"}));
  const std::string_view instructions = backend().bf16_instructions();
  std::string expected = "f32";
  if (instructions == "AMX") expected = "bf16 (AMX)";
#if defined(__x86_64__)
  if (instructions == "AVX512_BF16" && __builtin_cpu_is("amd")) expected = "bf16 (AVX512_BF16)";
#endif
  EXPECT_THAT(automatic.error, HasSubstr("matrix products in " + expected + "\n"));
  EXPECT_EQ(run_heed(training("b", {"--dtype", "f16"})).exit_code, 2);
}

TEST_F(TrainDType, OfABenchmark) {
  for (const char* const dtype : {"f32", "bf16"}) {
    const Json result = run_json(
        {"bench", "train", "--sentences", "2", "--vocab", "50", "--steps", "1", "--warm-up", "0", "--dtype", dtype});
    EXPECT_EQ(result["dtype"], dtype);
  }
}

}  // namespace
}  // namespace heed::cli
