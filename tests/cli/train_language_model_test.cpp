// heed train language-model, evaluate language-model and generate as processes, one after the other.
#include "cli/program_fixture.h"

namespace heed::cli {
namespace {

using namespace heed::testing;
using ::testing::HasSubstr;

class TrainLanguageModelTest : public ProgramTest {
 protected:
  TrainLanguageModelTest() {
    std::string text;
    for (int i = 0; i < 400; ++i) text += fmt::format("To be, or not to be:\nthat is the question {}.\n", i % 7);
    file("input.txt", text);
  }
  Arguments training(const std::string& output, const std::string& steps) const {
    return {"train",
            "language-model",
            "--dtype",
            "f32",
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
            "0.005",
            "--schedule",
            "constant",
            "--warmup",
            "10",
            "--output",
            path(output)};
  }
};

// What is asked for is said, and belongs to the training.
TEST_F(TrainLanguageModelTest, TheOptimizerIsChosen) {
  const auto begun = run_well(with_more(training("m", "3"), {"--optimizer", "muon", "--momentum", "0.9"}));
  EXPECT_THAT(begun.error, HasSubstr("muon, rate 0.005"));
  const auto go_on = [&](const Arguments& more) {
    return with_more(with_more(training("m", "5"), {"--resume"}), more);
  };
  run_refused(go_on({"--optimizer", "muon"}), 2, "--momentum");
  run_refused(go_on({"--momentum", "0.9"}), 2, "--optimizer");
  run_refused(go_on({"--optimizer", "muon", "--momentum", "1"}), 2, "momentum");
  run_refused(with_more(training("n", "3"), {"--momentum", "0.9"}), 2, "--momentum is of --optimizer muon");
  run_refused(with_more(training("n", "3"), {"--valid-every", "1", "--valid-fraction", "0"}), 2,
              "--valid-every counts");
  run_refused(with_more(training("n", "3"), {"--min-learning-rate", "0.001"}), 2, "of --schedule cosine and linear");
  run_well(go_on({"--optimizer", "muon", "--momentum", "0.9"}));
}

TEST_F(TrainLanguageModelTest, TrainsEvaluatesAndGenerates) {
  const auto trained = run_well(with_more(training("model", "200"), {"--json"}));
  EXPECT_THAT(trained.error, HasSubstr("blocks of 32"));
  EXPECT_THAT(trained.error, HasSubstr("weight decay 0.1"));
  const Json summary = parse_json(trained.output, "output");
  EXPECT_EQ(summary["steps"], 200);
  EXPECT_LT(summary["best"]["loss"].get<double>(), 0.3);

  const Json scores = run_json(
      {"evaluate", "language-model", "--model", path("model"), "--data", path("input.txt"), "--valid-fraction", "0.1"});
  EXPECT_NEAR(scores["loss"].get<double>(), summary["best"]["loss"].get<double>(), 1e-5);
  EXPECT_NEAR(scores["perplexity"].get<double>(), summary["best"]["perplexity"].get<double>(), 1e-5);
  EXPECT_NEAR(scores["bits_per_byte"].get<double>(), summary["best"]["bits_per_byte"].get<double>(), 1e-5);
  EXPECT_EQ(scores["tokens"].get<int>() + 1, scores["bytes"].get<int>());

  const auto generated =
      run_well({"generate", "--model", path("model"), "--prompt", "To be, or", "--max-new-tokens", "11"});
  EXPECT_EQ(generated.output, " not to be:\n");
}

TEST_F(TrainLanguageModelTest, DocumentsEachForItselfScoreAsTheirTrainingSays) {
  const Json summary = parse_json(
      run_well(with_more(training("model", "20"), {"--no-packed", "--document-per", "line", "--json"})).output,
      "output");
  const Arguments evaluation{"evaluate", "language-model",   "--model",     path("model"),
                             "--data",   path("input.txt"),  "--no-packed", "--document-per",
                             "line",     "--valid-fraction", "0.1"};
  EXPECT_NEAR(run_json(evaluation)["loss"].get<double>(), summary["best"]["loss"].get<double>(), 1e-5);
  run_refused(with_more(evaluation, {"--stride", "8"}), 2, "--stride is for packed text");
  run_refused(with_more(training("model", "30"), {"--document-per", "line", "--resume"}), 2, "--packed");
}

TEST_F(TrainLanguageModelTest, ResumesAndRefusesOtherOptions) {
  run_well(training("model", "5"));
  const Arguments more = with_more(training("model", "9"), {"--resume"});
  EXPECT_THAT(run_well(more).error, HasSubstr("resumed at step 5"));
  run_refused(with_more(more, {"--batch-size", "4"}), 2, "--batch-size (8 at the beginning, 4 now)");
}

TEST_F(TrainLanguageModelTest, EqualsTransformersAndNamesBadInput) {
  const std::string golden = source_path("tests/golden/tasks/language_model").string();
  const Json expected = read_json(golden + "/losses.json")["cases"][0];
  const Json scores = run_json({"evaluate", "language-model", "--model", golden, "--data", golden + "/text.txt"});
  EXPECT_NEAR(scores["loss"].get<double>(), expected["nll"].get<double>() / expected["tokens"].get<double>(), 1e-5);
  const auto replaced =
      run_well({"evaluate", "language-model", "--model", golden, "--data", file("latin1.txt", "caf\xe9 cr\xe8me")});
  EXPECT_THAT(replaced.error, HasSubstr("latin1.txt: 2 parts that are not UTF-8 became U+FFFD"));
  run_refused({"evaluate", "language-model", "--model", golden, "--data",
               file("bad.jsonl", "{\"text\": \"a\"}\n{\"txt\": \"b\"}\n")},
              4, "bad.jsonl:2");
}

}  // namespace
}  // namespace heed::cli
