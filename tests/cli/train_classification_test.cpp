// heed train classification and heed evaluate classification as processes: from labelled lines to a model and its
// scores; what is refused; going on after a stop.
#include <algorithm>

#include "cli/program_fixture.h"
#include "heed/base/random.h"

namespace heed::cli {
namespace {

using namespace heed::testing;
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

class TrainClassification : public ProgramTest {
 protected:
  Arguments training(const std::string& output, const Arguments& more = {}) const {
    const Arguments arguments{"train",           "classification",
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
    return with_more(arguments, more);
  }
};

TEST_F(TrainClassification, LearnsScoresAndClassifies) {
  const auto trained = run_well(training("model", {"--json"}));
  EXPECT_THAT(trained.error, HasSubstr("2 labels"));
  const Json scores = run_json({"evaluate", "classification", "--model", path("model"), "--data",
                                file("test.tsv", reviews(3, 100)), "--predictions", path("found.txt")});
  EXPECT_EQ(scores["examples"], 100);
  EXPECT_GE(scores["accuracy"].get<double>(), 0.95);
  EXPECT_GE(scores["f1"].get<double>(), 0.95);
  EXPECT_EQ(lines_of(read_file(path("found.txt"))).size(), 100u);
  const auto classified = run_well({"classify", "--model", path("model")}, {.text = "the film was lovely .\n"});
  EXPECT_THAT(classified.output, ::testing::StartsWith("good\t"));

  // Another head, and the same one again, on this body.
  const auto finer = run_well({"train", "classification", "--init", path("model"), "--train", path("train.tsv"),
                               "--max-steps", "2", "--threads", "1", "--output", path("again")});
  EXPECT_THAT(finer.error, ::testing::Not(HasSubstr("new parameters")));
}

TEST_F(TrainClassification, GoesOnAsIfItHadNotStopped) {
  expect_goes_on_bit_for_bit(
      [&](const std::string& output) {
        return training(output, {"--schedule", "constant", "--warmup", "3"});
      },
      17, 30);
  const auto last = [&](const std::string& run) {
    const std::string metrics = read_file(path(run + "/metrics.jsonl"));
    const size_t at = metrics.rfind("\"loss\"");
    return metrics.substr(at, metrics.find(',', at) - at);
  };
  EXPECT_EQ(last("parts"), last("unbroken"));
}

TEST_F(TrainClassification, IsNotResumedWithOtherLabelsOrDropout) {
  const Arguments constant{"--schedule", "constant", "--warmup", "3"};
  run_well(training("model", with_more(constant, {"--max-steps", "2"})));
  const Arguments go_on = with_more(constant, {"--max-steps", "4", "--resume"});
  run_refused(training("model", with_more(go_on, {"--dropout", "0.5"})), 2,
              "--dropout (0.1 at the beginning, 0.5 now)");
  std::string renamed = reviews(1, 240);
  for (size_t at = 0; (at = renamed.find("\tgood\n", at)) != std::string::npos;) renamed.replace(at, 6, "\tGOOD\n");
  const std::string data = file("renamed.tsv", renamed);
  run_refused(training("model", with_more(go_on, {"--train", data, "--valid", data})), 2, "240 examples of bad, good");
}

TEST_F(TrainClassification, FindsTheBatchThatFits) {
  const Arguments fitted{"--schedule", "constant", "--warmup", "1", "--memory-limit", "1GB"};
  const auto trained = run_well(training("model", with_more(fitted, {"--max-steps", "3"})));
  EXPECT_THAT(trained.error, HasSubstr("which holds a whole epoch: a step takes"));
  const Json options = read_json(path("model/training.json"));
  EXPECT_GE(options["batch-size"], 240);
  run_well(training("model", with_more(fitted, {"--max-steps", "5", "--resume"})));
  Json without = options;
  without.erase("batch-size");
  write_json(path("model/training.json"), without);
  run_refused(training("model", {"--max-steps", "6", "--memory-limit", "1GB", "--resume"}), 3,
              "training.json does not say the batch-size");
  run_refused(training("both", {"--memory-limit", "1GB", "--batch-size", "8"}), 2,
              "--memory-limit chooses --batch-size: give one of them");
  run_refused(training("little", {"--memory-limit", "1MB"}), 5,
              "--memory-limit: a training step on the smallest batch takes more than 0 MiB");
}

// Nothing is tried out: the limit could not be kept, and would have chosen another size.
TEST_F(TrainClassification, AResumedTrainingKeepsItsBatchWhateverTheMemoryLimit) {
  const auto run = [&](const std::string& output, const Arguments& more) {
    return run_well(training(output, with_more({"--schedule", "constant", "--warmup", "3"}, more)));
  };
  run("parts", {"--batch-size", "16", "--max-steps", "7"});
  const auto resumed = run("parts", {"--memory-limit", "1MB", "--max-steps", "20", "--resume"});
  EXPECT_THAT(resumed.error, HasSubstr("resumed at step 7"));
  EXPECT_THAT(resumed.error, ::testing::Not(HasSubstr("a step takes")));
  EXPECT_EQ(read_json(path("parts/training.json"))["batch-size"], 16);
  run("unbroken", {"--batch-size", "16", "--max-steps", "20"});
  EXPECT_TRUE(read_file(path("parts/checkpoints/step-000020/model.safetensors")) ==
              read_file(path("unbroken/checkpoints/step-000020/model.safetensors")));
}

TEST_F(TrainClassification, ALabelOfSeveralLinesTakesOneLineOfWhatIsWritten) {
  std::string examples;
  for (int i = 0; i < 60; ++i)
    examples +=
        Json{{"text", i % 3 == 0 ? "dull film" : "warm film"}, {"label", i % 3 == 0 ? "bad" : "very\ngood"}}.dump() +
        "\n";
  const std::string data = file("lines.jsonl", examples);
  run_well({"train",           "classification",
            "--train",         data,
            "--layers",        "1",
            "--d-model",       "32",
            "--dropout",       "0",
            "--learning-rate", "3e-3",
            "--vocab-size",    "40",
            "--max-epochs",    "80",
            "--threads",       "1",
            "--output",        path("model")});
  const Json scores = run_json(
      {"evaluate", "classification", "--model", path("model"), "--data", data, "--predictions", path("found.txt")});
  EXPECT_EQ(scores["accuracy"], 1.0);
  const auto found = lines_of(read_file(path("found.txt")));
  ASSERT_EQ(found.size(), 60u);
  for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], i % 3 == 0 ? "bad" : "very\\ngood") << i;
  const auto classified = run_well({"classify", "--model", path("model")}, {.text = "warm film\ndull film\n"});
  const auto lines = lines_of(classified.output);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0], ::testing::StartsWith("very\\ngood\t"));
  EXPECT_THAT(lines[1], ::testing::StartsWith("bad\t"));
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
  const Arguments small{"--layers",     "1",  "--d-model", "32", "--dropout",    "0",  "--learning-rate", "3e-3",
                        "--vocab-size", "40", "--threads", "1",  "--max-epochs", "40", "--save-every",    "1000"};
  const auto train = [&](const std::string& data, const std::string& output) {
    run_well(with_more({"train", "classification", "--train", data, "--output", path(output)}, small));
  };
  const auto scores = [&](const std::string& model, const std::string& data) {
    return run_json({"evaluate", "classification", "--model", path(model), "--data", data});
  };
  const std::string labels = file("several.jsonl", several), values = file("numbers.csv", numbers);
  train(labels, "labels");
  EXPECT_GE(scores("labels", labels)["micro_f1"].get<double>(), 0.95);
  train(values, "values");
  EXPECT_GE(scores("values", values)["pearson"].get<double>(), 0.95);
}

// A label's share of an example is the probability that is learned.
TEST_F(TrainClassification, LearnsHowMuchOfAnExampleIsEachLabels) {
  std::string examples;
  for (int i = 0; i < 40; ++i) {
    examples += Json{{"text", "warm film"}, {"label", {{"good", 3}, {"bad", 1}}}}.dump() + "\n";
    examples += Json{{"text", "dull film"}, {"label", "bad"}}.dump() + "\n";
  }
  run_well({"train",           "classification",
            "--train",         file("shares.jsonl", examples),
            "--layers",        "1",
            "--d-model",       "32",
            "--dropout",       "0",
            "--learning-rate", "3e-3",
            "--vocab-size",    "40",
            "--max-steps",     "150",
            "--threads",       "1",
            "--output",        path("model")});
  const auto classified = run_well({"classify", "--model", path("model")}, {.text = "warm film\ndull film\n"});
  const auto lines = lines_of(classified.output);
  ASSERT_EQ(lines.size(), 2u);
  const auto expect_score = [](const std::string& line, const std::string& label, double score) {
    ASSERT_THAT(line, ::testing::StartsWith(label + "\t"));
    EXPECT_NEAR(std::stod(line.substr(label.size() + 1)), score, 0.05) << line;
  };
  expect_score(lines[0], "good", 0.75);
  expect_score(lines[1], "bad", 1);
}

TEST_F(TrainClassification, LearnsFromATeacherWhatNoLabelSays) {
  run_well(training("teacher"));
  std::string texts;
  for (const std::string& line : lines_of(reviews(5, 240))) texts += line.substr(0, line.find('\t')) + "\n";
  const auto trained = run_well({"train",           "classification",
                                 "--teacher",       path("teacher"),
                                 "--train",         file("few.tsv", "sentence\tlabel\nfilm .\tbad\nplot .\tgood\n"),
                                 "--unlabelled",    file("more.tsv", texts),
                                 "--layers",        "1",
                                 "--d-model",       "32",
                                 "--dropout",       "0",
                                 "--learning-rate", "3e-3",
                                 "--vocab-size",    "80",
                                 "--threads",       "1",
                                 "--output",        path("pupil")});
  EXPECT_THAT(trained.error, HasSubstr("242 of 242 texts"));
  EXPECT_THAT(trained.error, HasSubstr("240 unlabelled"));
  const Json scores =
      run_json({"evaluate", "classification", "--model", path("pupil"), "--data", file("test.tsv", reviews(3, 100))});
  EXPECT_GE(scores["accuracy"].get<double>(), 0.95);
  run_refused({"train", "classification", "--train", path("few.tsv"), "--unlabelled", path("more.tsv"), "--output",
               path("bad")},
              2, "--unlabelled needs a --teacher");
}

TEST_F(TrainClassification, NamesWhatIsWrong) {
  const auto fails = [&](const std::string& name, const std::string& text, const std::string& message) {
    run_refused({"train", "classification", "--train", file(name, text), "--layers", "1", "--d-model", "32", "--output",
                 path("bad")},
                4, message);
    EXPECT_FALSE(std::filesystem::exists(path("bad")));
  };
  fails("columns.tsv", "sentence\tlabel\na\tgood\nb\n", "columns.tsv:3");
  fails("empty.tsv", "", "empty.tsv");
  fails("broken.jsonl", "{\"text\": \"a\", \"label\": \"x\"}\n{\"text\": \n", "broken.jsonl:2");
  fails("no_label.jsonl", "{\"text\": \"a\"}\n", "no_label.jsonl");
  fails("one.tsv", "sentence\tlabel\na\tgood\nb\tgood\n", "the only label is \"good\"; expected two or more");
  run_well(training("model", {"--max-steps", "2"}));
  run_refused({"evaluate", "classification", "--model", path("model"), "--data",
               file("unknown.tsv", "sentence\tlabel\nx\tgood\ny\tmiddling\n")},
              4, "unknown.tsv:3: the label \"middling\" is none of the model's: bad, good");
}

}  // namespace
}  // namespace heed::cli
