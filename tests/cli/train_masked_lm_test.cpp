// heed train masked-lm and denoise with their evaluations, as processes, and what can be done with the results.
#include "cli/program_fixture.h"
#include "tasks/word_lines.h"

namespace heed::cli {
namespace {

using namespace heed::testing;
using ::testing::HasSubstr;

class PretrainingTest : public ProgramTest {
 protected:
  PretrainingTest() { write_word_lines(folder_ / "text.txt", 3, 300); }
  Arguments with_model(const Arguments& arguments, const std::string& output) const {
    return with_more(
        arguments, {"--vocab-size", "170", "--layers", "1", "--heads", "2", "--d-model", "32", "--max-steps", "60",
                    "--learning-rate", "0.01", "--dropout", "0", "--threads", "1", "--json", "--output", path(output)});
  }
};

TEST_F(PretrainingTest, AMaskedModelIsTrainedScoredFillsMasksAndIsFineTuned) {
  const auto trained = run_well(with_model(
      {"train", "masked-lm", "--train", path("text.txt"), "--valid-fraction", "0.1", "--whole-words"}, "body"));
  EXPECT_THAT(trained.error, HasSubstr("examples"));
  const Json best = parse_json(trained.output, "output")["best"];
  const Json scores = run_json({"evaluate", "masked-lm", "--model", path("body"), "--data", path("text.txt"),
                                "--valid-fraction", "0.1", "--whole-words"});
  EXPECT_NEAR(scores["loss"].get<double>(), best["loss"].get<double>(), 1e-5);
  EXPECT_NEAR(scores["accuracy"].get<double>(), best["accuracy"].get<double>(), 1e-9);
  run_well({"fill-mask", "--model", path("body")}, {.text = "one [MASK] three\n"});

  const std::string labels =
      file("labels.tsv", "text\tlabel\none two\tup\ntwo one\tdown\nthree four\tup\nfour three\tdown\n");
  const auto tuned = run_well({"train", "classification", "--init", path("body"), "--train", labels, "--valid", labels,
                               "--max-steps", "3", "--threads", "1", "--output", path("tuned")});
  EXPECT_THAT(tuned.error, HasSubstr("new parameters: "));
}

TEST_F(PretrainingTest, EncoderDecodersAreTrainedAndScored) {
  for (const std::string family : {"t5", "bart"}) {
    const auto trained = run_well(with_model({"train", "denoise", "--train", path("text.txt"), "--valid-fraction",
                                              "0.1", "--family", family, "--block", "32"},
                                             family));
    const Json scores = run_json({"evaluate", "denoise", "--model", path(family), "--data", path("text.txt"),
                                  "--valid-fraction", "0.1", "--block", "32"});
    EXPECT_NEAR(scores["loss"].get<double>(), parse_json(trained.output, "output")["best"]["loss"].get<double>(), 1e-5);
    run_well({"generate", "--model", path(family), "--prompt", "one two", "--max-new-tokens", "5"});
  }
}

}  // namespace
}  // namespace heed::cli
