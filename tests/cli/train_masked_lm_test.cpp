// heed train masked-lm and denoise with their evaluations, as processes, and what can be done with the results.
#include <gmock/gmock.h>

#include <fstream>

#include "cli/run_program.h"
#include "heed/base/json.h"
#include "shared_files.h"
#include "tasks/word_lines.h"

namespace heed::cli {
namespace {

using heed::testing::run_heed;
using ::testing::HasSubstr;

class PretrainingTest : public ::testing::Test {
 protected:
  void SetUp() override { testing::write_word_lines(folder_ / "text.txt", 3, 300); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::vector<std::string> with_model(std::vector<std::string> arguments, const std::string& output) const {
    for (const char* more : {"--vocab-size", "170", "--layers", "1", "--heads", "2", "--d-model", "32", "--max-steps",
                             "60", "--learning-rate", "0.01", "--dropout", "0", "--threads", "1", "--json", "--output"})
      arguments.emplace_back(more);
    arguments.push_back(path(output));
    return arguments;
  }
  testing::TemporaryFolder folder_;
};

TEST_F(PretrainingTest, AMaskedModelIsTrainedScoredFillsMasksAndIsFineTuned) {
  const auto trained = run_heed(with_model(
      {"train", "masked-lm", "--train", path("text.txt"), "--valid-fraction", "0.1", "--whole-words"}, "body"));
  ASSERT_EQ(trained.exit_code, 0) << trained.error;
  EXPECT_THAT(trained.error, HasSubstr("examples"));
  const Json best = parse_json(trained.output, "output")["best"];
  const auto evaluated = run_heed({"evaluate", "masked-lm", "--model", path("body"), "--data", path("text.txt"),
                                   "--valid-fraction", "0.1", "--whole-words", "--json"});
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.error;
  const Json scores = parse_json(evaluated.output, "output");
  EXPECT_NEAR(scores["loss"].get<double>(), best["loss"].get<double>(), 1e-5);
  EXPECT_NEAR(scores["accuracy"].get<double>(), best["accuracy"].get<double>(), 1e-9);
  const auto filled = run_heed({"fill-mask", "--model", path("body")}, {.text = "one [MASK] three\n"});
  EXPECT_EQ(filled.exit_code, 0) << filled.error;

  std::ofstream(folder_ / "labels.tsv")
      << "text\tlabel\none two\tup\ntwo one\tdown\nthree four\tup\nfour three\tdown\n";
  const auto tuned =
      run_heed({"train", "classification", "--init", path("body"), "--train", path("labels.tsv"), "--valid",
                path("labels.tsv"), "--max-steps", "3", "--threads", "1", "--output", path("tuned")});
  EXPECT_EQ(tuned.exit_code, 0) << tuned.error;
  EXPECT_THAT(tuned.error, HasSubstr("new parameters: "));
}

TEST_F(PretrainingTest, EncoderDecodersAreTrainedAndScored) {
  for (const std::string family : {"t5", "bart"}) {
    const auto trained = run_heed(with_model({"train", "denoise", "--train", path("text.txt"), "--valid-fraction",
                                              "0.1", "--family", family, "--block", "32"},
                                             family));
    ASSERT_EQ(trained.exit_code, 0) << trained.error;
    const auto evaluated = run_heed({"evaluate", "denoise", "--model", path(family), "--data", path("text.txt"),
                                     "--valid-fraction", "0.1", "--block", "32", "--json"});
    ASSERT_EQ(evaluated.exit_code, 0) << evaluated.error;
    EXPECT_NEAR(parse_json(evaluated.output, "output")["loss"].get<double>(),
                parse_json(trained.output, "output")["best"]["loss"].get<double>(), 1e-5);
    const auto generated =
        run_heed({"generate", "--model", path(family), "--prompt", "one two", "--max-new-tokens", "5"});
    EXPECT_EQ(generated.exit_code, 0) << generated.error;
  }
}

}  // namespace
}  // namespace heed::cli
