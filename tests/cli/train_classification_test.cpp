// heed train classification and heed evaluate classification as processes: from labelled lines to a model and its
// scores; what is refused; going on after a stop.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "cli/run_program.h"
#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "heed/base/random.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using heed::testing::run_heed;
using ::testing::HasSubstr;

// Reviews whose last word but one tells the label.
std::string reviews(uint64_t seed, int count, const std::string& header = "sentence\tlabel\n") {
  static constexpr const char* kFillers[] = {"the", "film", "plot", "cast", "was", "very", "quite", "story"};
  static constexpr const char* kGood[] = {"great", "lovely", "warm"};
  static constexpr const char* kBad[] = {"awful", "dull", "weak"};
  Random random(seed);
  std::string text = header;
  for (int i = 0; i < count; ++i) {
    const uint32_t label = random.below(2);
    for (uint32_t words = 2 + random.below(6); words > 0; --words) text += std::string(kFillers[random.below(8)]) + " ";
    text += std::string(label ? kGood[random.below(3)] : kBad[random.below(3)]) + " .\t";
    text += label ? "good\n" : "bad\n";
  }
  return text;
}

class TrainClassification : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  std::string path(const std::string& name) const { return folder_ / name; }

  std::vector<std::string> training(const std::string& output, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"train",           "classification",
                                       "--train",         file("train.tsv", reviews(1, 240)),
                                       "--valid",         file("valid.tsv", reviews(2, 60)),
                                       "--layers",        "1",
                                       "--d-model",       "32",
                                       "--heads",         "2",
                                       "--dropout",       "0.1",
                                       "--learning-rate", "3e-3",
                                       "--vocab-size",    "80",
                                       "--threads",       "1",
                                       "--output",        path(output)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  heed::testing::TemporaryFolder folder_;
};

TEST_F(TrainClassification, LearnsScoresAndClassifies) {
  const auto trained = run_heed(training("model", {"--json"}));
  ASSERT_EQ(trained.exit_code, 0) << trained.error;
  EXPECT_THAT(trained.error, HasSubstr("2 labels"));
  const auto evaluated = run_heed({"evaluate", "classification", "--model", path("model"), "--data",
                                   file("test.tsv", reviews(3, 100)), "--predictions", path("found.txt"), "--json"});
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.error;
  const Json scores = parse_json(evaluated.output, "output");
  EXPECT_EQ(scores["examples"], 100);
  EXPECT_GE(scores["accuracy"].get<double>(), 0.95);
  EXPECT_GE(scores["f1"].get<double>(), 0.95);
  const std::string found = read_file(path("found.txt"));
  EXPECT_EQ(std::count(found.begin(), found.end(), '\n'), 100);
  const auto classified = run_heed({"classify", "--model", path("model")}, {.text = "the film was lovely .\n"});
  EXPECT_THAT(classified.output, ::testing::StartsWith("good\t"));

  // Another head, and the same one again, on this body.
  const auto finer = run_heed({"train", "classification", "--init", path("model"), "--train", path("train.tsv"),
                               "--max-steps", "2", "--threads", "1", "--output", path("again")});
  ASSERT_EQ(finer.exit_code, 0) << finer.error;
  EXPECT_THAT(finer.error, ::testing::Not(HasSubstr("new parameters")));
}

TEST_F(TrainClassification, GoesOnAsIfItHadNotStopped) {
  ASSERT_EQ(run_heed(training("parts", {"--max-steps", "17", "--schedule", "constant", "--warmup", "3"})).exit_code, 0);
  const auto resumed =
      run_heed(training("parts", {"--max-steps", "30", "--schedule", "constant", "--warmup", "3", "--resume"}));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.error;
  ASSERT_EQ(run_heed(training("unbroken", {"--max-steps", "30", "--schedule", "constant", "--warmup", "3"})).exit_code,
            0);
  const auto last = [&](const std::string& run) {
    const std::string metrics = read_file(path(run + "/metrics.jsonl"));
    const size_t at = metrics.rfind("\"loss\"");
    return metrics.substr(at, metrics.find(',', at) - at);
  };
  EXPECT_EQ(last("parts"), last("unbroken"));
  EXPECT_EQ(read_file(path("parts/checkpoints/step-000030/model.safetensors")),
            read_file(path("unbroken/checkpoints/step-000030/model.safetensors")));
}

TEST_F(TrainClassification, FindsTheBatchThatFits) {
  const auto trained = run_heed(
      training("model", {"--max-steps", "3", "--schedule", "constant", "--warmup", "1", "--memory-limit", "1GB"}));
  ASSERT_EQ(trained.exit_code, 0) << trained.error;
  EXPECT_THAT(trained.error, HasSubstr("which holds a whole epoch: a step takes"));
  const Json options = read_json(path("model/training.json"));
  EXPECT_GE(options["batch-size"], 240);
  const auto resumed = run_heed(training(
      "model", {"--max-steps", "5", "--schedule", "constant", "--warmup", "1", "--memory-limit", "1GB", "--resume"}));
  EXPECT_EQ(resumed.exit_code, 0) << resumed.error;
  Json without = options;
  without.erase("batch-size");
  write_json(path("model/training.json"), without);
  const auto damaged = run_heed(training("model", {"--max-steps", "6", "--memory-limit", "1GB", "--resume"}));
  EXPECT_EQ(damaged.exit_code, 3);  // FormatError
  EXPECT_THAT(damaged.error, HasSubstr("training.json does not say the batch-size"));
  const auto both = run_heed(training("both", {"--memory-limit", "1GB", "--batch-size", "8"}));
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(both.error, HasSubstr("--memory-limit chooses --batch-size: give one of them"));
  const auto little = run_heed(training("little", {"--memory-limit", "1MB"}));
  EXPECT_NE(little.exit_code, 0);
  EXPECT_THAT(little.error, HasSubstr("--memory-limit: a training step on the smallest batch takes more than 0 MiB"));
}

TEST_F(TrainClassification, SeveralLabelsAndNumbers) {
  std::string several, numbers = "text,score\n";
  Random random(4);
  for (int i = 0; i < 120; ++i) {
    const bool a = random.below(2), b = random.below(2);
    several += Json{{"text", std::string(a ? "apple " : "stone ") + (b ? "bear" : "wall")},
                    {"labels", a && b ? Json{"fruit", "animal"}
                               : a    ? Json{"fruit"}
                               : b    ? Json{"animal"}
                                      : Json::array()}}
                   .dump() +
               "\n";
    numbers += fmt::format("\"{} , {}\",{}\n", a ? "apple" : "stone", b ? "bear" : "wall", a + 0.5 * b);
  }
  const std::vector<std::string> small{"--layers",        "1",    "--d-model",    "32",  "--dropout", "0",
                                       "--learning-rate", "3e-3", "--vocab-size", "40",  "--threads", "1",
                                       "--max-epochs",    "40",   "--save-every", "1000"};
  const auto train = [&](const std::string& data, const std::string& output) {
    std::vector<std::string> arguments{"train", "classification", "--train", data, "--output", path(output)};
    arguments.insert(arguments.end(), small.begin(), small.end());
    const auto result = run_heed(arguments);
    ASSERT_EQ(result.exit_code, 0) << result.error;
  };
  const auto scores = [&](const std::string& model, const std::string& data) {
    const auto result = run_heed({"evaluate", "classification", "--model", path(model), "--data", data, "--json"});
    EXPECT_EQ(result.exit_code, 0) << result.error;
    return parse_json(result.output, "output");
  };
  const std::string labels = file("several.jsonl", several), values = file("numbers.csv", numbers);
  train(labels, "labels");
  EXPECT_GE(scores("labels", labels)["micro_f1"].get<double>(), 0.95);
  train(values, "values");
  EXPECT_GE(scores("values", values)["pearson"].get<double>(), 0.95);
}

TEST_F(TrainClassification, NamesWhatIsWrong) {
  const auto fails = [&](const std::string& name, const std::string& text, const std::string& message, int code = 4) {
    const auto result = run_heed({"train", "classification", "--train", file(name, text), "--layers", "1", "--d-model",
                                  "32", "--output", path("bad")});
    EXPECT_EQ(result.exit_code, code) << name << ": " << result.error;
    EXPECT_THAT(result.error, HasSubstr(message)) << name;
    EXPECT_FALSE(std::filesystem::exists(path("bad")));
  };
  fails("columns.tsv", "sentence\tlabel\na\tgood\nb\n", "columns.tsv:3");
  fails("empty.tsv", "", "empty.tsv");
  fails("broken.jsonl", "{\"text\": \"a\", \"label\": \"x\"}\n{\"text\": \n", "broken.jsonl:2");
  fails("no_label.jsonl", "{\"text\": \"a\"}\n", "no_label.jsonl");
  fails("one.tsv", "sentence\tlabel\na\tgood\nb\tgood\n", "all examples have the label \"good\"");
  ASSERT_EQ(run_heed(training("model", {"--max-steps", "2"})).exit_code, 0);
  const auto unknown = run_heed({"evaluate", "classification", "--model", path("model"), "--data",
                                 file("unknown.tsv", "sentence\tlabel\nx\tgood\ny\tmiddling\n")});
  EXPECT_EQ(unknown.exit_code, 4);
  EXPECT_THAT(unknown.error, HasSubstr("unknown.tsv:3: the label \"middling\" is none of the model's: bad, good"));
}

}  // namespace
}  // namespace heed::cli
