// heed perplexity as a process, against what transformers gave (tools/record_goldens/language_model.py).
#include <gtest/gtest.h>

#include <cmath>

#include "cli/run_program.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "shared_files.h"

namespace heed {
namespace {

TEST(PerplexityCommand, IsThatOfTransformers) {
  const auto folder = testing::source_path("tests/golden/tasks/language_model");
  const Json golden = read_json(folder / "losses.json");
  ASSERT_FALSE(golden["perplexity"].empty());
  for (const Json& c : golden["perplexity"]) {
    const auto run =
        testing::run_heed({"perplexity", "--model", folder.string(), "--input", (folder / "text.txt").string(),
                           "--window", c["window"].dump(), "--stride", c["stride"].dump(), "--json", "--quiet"});
    ASSERT_EQ(run.exit_code, 0) << run.error;
    const Json found = parse_json(run.output, "output");
    const double nll = c["nll"].get<double>(), tokens = c["tokens"].get<double>();
    EXPECT_EQ(found["tokens"], c["tokens"]) << c.dump();
    EXPECT_EQ(found["bytes"], golden["bytes"]);
    EXPECT_NEAR(found["nll"].get<double>(), nll, 2e-3) << c.dump();
    EXPECT_NEAR(found["perplexity"].get<double>() / std::exp(nll / tokens), 1, 1e-4);
    EXPECT_NEAR(found["bits_per_byte"].get<double>(), nll / std::log(2.0) / golden["bytes"].get<double>(), 1e-4);
  }
  // Half a window is the usual stride.
  const auto usual =
      testing::run_heed({"perplexity", "--model", folder.string(), "--json"}, {.text = read_file(folder / "text.txt")});
  EXPECT_NEAR(parse_json(usual.output, "output")["nll"].get<double>(), golden["perplexity"][0]["nll"].get<double>(),
              2e-3);
}

}  // namespace
}  // namespace heed
