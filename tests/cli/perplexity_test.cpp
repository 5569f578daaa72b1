// heed perplexity as a process, against what transformers gave (tools/record_goldens/language_model.py).
#include <cmath>

#include "cli/program_fixture.h"

namespace heed {
namespace {

TEST(PerplexityCommand, IsThatOfTransformers) {
  const auto folder = testing::source_path("tests/golden/tasks/language_model");
  const Json golden = read_json(folder / "losses.json");
  ASSERT_FALSE(golden["perplexity"].empty());
  for (const Json& c : golden["perplexity"]) {
    const Json found = testing::run_json({"perplexity", "--model", folder, "--input", folder / "text.txt", "--window",
                                          c["window"].dump(), "--stride", c["stride"].dump(), "--quiet"});
    const double nll = c["nll"].get<double>(), tokens = c["tokens"].get<double>();
    EXPECT_EQ(found["tokens"], c["tokens"]) << c.dump();
    EXPECT_EQ(found["bytes"], golden["bytes"]);
    EXPECT_NEAR(found["nll"].get<double>(), nll, 2e-3) << c.dump();
    EXPECT_NEAR(found["perplexity"].get<double>() / std::exp(nll / tokens), 1, 1e-4);
    EXPECT_NEAR(found["bits_per_byte"].get<double>(), nll / std::log(2.0) / golden["bytes"].get<double>(), 1e-4);
  }
  // Half a window is the usual stride.
  const Json usual = testing::run_json({"perplexity", "--model", folder}, {.text = read_file(folder / "text.txt")});
  EXPECT_NEAR(usual["nll"].get<double>(), golden["perplexity"][0]["nll"].get<double>(), 2e-3);
}

TEST(PerplexityCommand, RoundsMatricesOnRequest) {
  const auto folder = testing::source_path("tests/golden/tasks/language_model");
  const auto run = [&](const std::string& dtype) {
    return testing::run_heed({"perplexity", "--model", folder.string(), "--input", (folder / "text.txt").string(),
                              "--dtype", dtype, "--json", "--quiet"});
  };
  const auto loss = [&](const std::string& dtype) {
    const auto result = run(dtype);
    EXPECT_EQ(result.exit_code, 0) << result.error;
    return parse_json(result.output, "output")["loss"].get<double>();
  };
  const double exact = loss("f32");
  EXPECT_EQ(loss("auto"), exact);
  for (const auto& [dtype, tolerance] : {std::pair{"bf16", 1e-2}, std::pair{"f16", 1e-3}}) {
    const double rounded = loss(dtype);
    EXPECT_NE(rounded, exact) << dtype;
    EXPECT_NEAR(rounded / exact, 1, tolerance) << dtype;
  }
  const auto refused = run("i8");
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.error.find("bf16"), std::string::npos) << refused.error;
}

}  // namespace
}  // namespace heed
