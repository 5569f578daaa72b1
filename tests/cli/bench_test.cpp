// heed bench: its models, shapes and what it reports.
#include "cli/program_fixture.h"

namespace heed::cli {
namespace {

using namespace heed::testing;

class Bench : public ProgramTest {};

TEST_F(Bench, AttentionOfManyShapes) {
  for (const std::string dtype : {"f32", "bf16"}) {
    const Json result =
        run_json({"bench", "attention", "--tokens", "200", "--length", "64", "--width", "96", "--head-dim", "32",
                  "--causal", "--dropout", "0.1", "--runs", "2", "--warm-up", "0", "--dtype", dtype});
    EXPECT_EQ(result["sequences"], 3);
    EXPECT_EQ(result["heads"], 3);
    EXPECT_EQ(result["dtype"], "f32");  // the CPU keeps activations so
    EXPECT_GT(result["forward_ms"].get<double>(), 0);
    // Two products forward of 3 sequences, 96 channels, half of 64 x 64 pairs; five backward.
    const double operations = 4.0 * 3 * 96 * 64 * 64 / 2;
    EXPECT_NEAR(result["forward_tflops"].get<double>() * 1e12 * result["forward_ms"].get<double>() / 1e3, operations,
                1);
    EXPECT_NEAR(result["backward_tflops"].get<double>() * 1e12 * result["backward_ms"].get<double>() / 1e3,
                2.5 * operations, 1);
  }
  run_refused({"bench", "attention", "--tokens", "10", "--length", "20"}, 2, "sequences of 20 of 10 tokens");
}

TEST_F(Bench, TrainsADecoderAsLargeAsGpt2) {
  const Json result = run_json({"bench", "train", "--preset", "decoder", "--vocab", "57", "--sentences", "2",
                                "--length", "4", "--jitter", "1", "--steps", "1", "--warm-up", "0"});
  EXPECT_EQ(result["parameters"], 124439808 - 768 * (50257 - 57));  // all of GPT-2's but most of the vocabulary
  EXPECT_GE(result["target_tokens"], 2 * 2);
  EXPECT_LE(result["target_tokens"], 2 * 4);
  run_refused({"bench", "translate", "--preset", "decoder"}, 2, "preset");
}

TEST_F(Bench, TranslatesWithMatricesInBf16) {
  for (const std::string dtype : {"f32", "bf16"}) {
    const Json result = run_json({"bench", "translate", "--vocab", "50", "--sentences", "3", "--length", "5", "--beam",
                                  "2", "--runs", "1", "--dtype", dtype});
    EXPECT_EQ(result["dtype"], dtype);
    EXPECT_EQ(result["new_tokens"], 5);
  }
}

}  // namespace
}  // namespace heed::cli
