// heed train language-model, evaluate language-model and generate as processes, one after the other.
#include <gmock/gmock.h>

#include <fstream>

#include "cli/run_program.h"
#include "heed/base/json.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using heed::testing::run_heed;
using ::testing::HasSubstr;

class TrainLanguageModelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ofstream out(folder_ / "input.txt");
    for (int i = 0; i < 400; ++i) out << "To be, or not to be:\nthat is the question " << i % 7 << ".\n";
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::vector<std::string> training(const std::string& output, const std::string& steps) const {
    return {"train",
            "language-model",
            "--train",
            path("input.txt"),
            "--valid-fraction",
            "0.1",
            "--tokenizer",
            "characters",
            "--family",
            "gpt2",
            "--layers",
            "1",
            "--heads",
            "2",
            "--d-model",
            "32",
            "--block",
            "32",
            "--batch-size",
            "8",
            "--max-steps",
            steps,
            "--dropout",
            "0",
            "--threads",
            "1",
            "--learning-rate",
            "0.01",
            "--schedule",
            "constant",
            "--warmup",
            "10",
            "--output",
            path(output)};
  }
  testing::TemporaryFolder folder_;
};

TEST_F(TrainLanguageModelTest, TrainsEvaluatesAndGenerates) {
  auto arguments = training("model", "150");
  arguments.emplace_back("--json");
  const auto trained = run_heed(arguments);
  ASSERT_EQ(trained.exit_code, 0) << trained.error;
  EXPECT_THAT(trained.error, HasSubstr("blocks of 32"));
  EXPECT_THAT(trained.error, HasSubstr("weight decay 0.1"));
  const Json summary = parse_json(trained.output, "output");
  EXPECT_EQ(summary["steps"], 150);
  EXPECT_LT(summary["best"]["loss"].get<double>(), 0.3);

  const auto evaluated = run_heed({"evaluate", "language-model", "--model", path("model"), "--data", path("input.txt"),
                                   "--valid-fraction", "0.1", "--json"});
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.error;
  const Json scores = parse_json(evaluated.output, "output");
  EXPECT_NEAR(scores["loss"].get<double>(), summary["best"]["loss"].get<double>(), 1e-5);
  EXPECT_NEAR(scores["perplexity"].get<double>(), summary["best"]["perplexity"].get<double>(), 1e-5);
  EXPECT_NEAR(scores["bits_per_byte"].get<double>(), summary["best"]["bits_per_byte"].get<double>(), 1e-5);
  EXPECT_EQ(scores["tokens"].get<int>() + 1, scores["bytes"].get<int>());

  const auto generated =
      run_heed({"generate", "--model", path("model"), "--prompt", "To be, or", "--max-new-tokens", "11"});
  ASSERT_EQ(generated.exit_code, 0) << generated.error;
  EXPECT_EQ(generated.output, " not to be:\n");
}

TEST_F(TrainLanguageModelTest, ResumesAndRefusesOtherOptions) {
  ASSERT_EQ(run_heed(training("model", "5")).exit_code, 0);
  auto more = training("model", "9");
  more.emplace_back("--resume");
  const auto resumed = run_heed(more);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.error;
  EXPECT_THAT(resumed.error, HasSubstr("resumed at step 5"));
  more.insert(more.end(), {"--batch-size", "4"});
  const auto other = run_heed(more);
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.error, HasSubstr("--batch-size (8 at the beginning, 4 now)"));
}

TEST_F(TrainLanguageModelTest, EqualsTransformersAndNamesBadInput) {
  const std::string golden = testing::source_path("tests/golden/tasks/language_model").string();
  const auto found =
      run_heed({"evaluate", "language-model", "--model", golden, "--data", golden + "/text.txt", "--json"});
  ASSERT_EQ(found.exit_code, 0) << found.error;
  const Json expected = read_json(golden + "/losses.json")["cases"][0];
  const Json scores = parse_json(found.output, "output");
  EXPECT_NEAR(scores["loss"].get<double>(), expected["nll"].get<double>() / expected["tokens"].get<double>(), 1e-5);
  std::ofstream(folder_ / "latin1.txt") << "caf\xe9 cr\xe8me";
  const auto replaced = run_heed({"evaluate", "language-model", "--model", golden, "--data", path("latin1.txt")});
  EXPECT_EQ(replaced.exit_code, 0) << replaced.error;
  EXPECT_THAT(replaced.error, HasSubstr("latin1.txt: 2 parts that are not UTF-8 became U+FFFD"));
  std::ofstream(folder_ / "bad.jsonl") << "{\"text\": \"a\"}\n{\"txt\": \"b\"}\n";
  const auto bad = run_heed({"evaluate", "language-model", "--model", golden, "--data", path("bad.jsonl")});
  EXPECT_EQ(bad.exit_code, 4);
  EXPECT_THAT(bad.error, HasSubstr("bad.jsonl:2"));
}

}  // namespace
}  // namespace heed::cli
