// heed train tagging and heed evaluate tagging as processes: from CoNLL columns to a tagger and its scores; what is
// refused; going on after a stop; part of a model frozen.
#include <algorithm>

#include "cli/program_fixture.h"
#include "heed/base/random.h"

namespace heed::cli {
namespace {

using namespace heed::testing;
using ::testing::HasSubstr;

// Who met whom where, tagged by IOB1.
std::string meetings(uint64_t seed, int count) {
  static constexpr const char* kPeople[] = {"Ann I-PER", "Bob I-PER", "Carla I-PER\nDiaz I-PER", "Eve I-PER"};
  static constexpr const char* kPlaces[] = {"Rome I-LOC", "New I-LOC\nYork I-LOC", "Oslo I-LOC"};
  Random random(seed);
  std::string text;
  for (int i = 0; i < count; ++i)
    text += fmt::format("{}{}\nmet O\n{}\nin O\n{}\n. O\n\n", i % 4 == 0 ? "-DOCSTART- O\n\n" : "",
                        kPeople[random.below(4)], kPeople[random.below(4)], kPlaces[random.below(3)]);
  return text;
}

class TrainTagging : public ProgramTest {
 protected:
  Arguments training(const std::string& output, const Arguments& more = {}) const {
    const Arguments arguments{"train",           "tagging",
                              "--train",         file("train", meetings(1, 200)),
                              "--valid",         file("valid", meetings(2, 40)),
                              "--layers",        "1",
                              "--d-model",       "32",
                              "--heads",         "2",
                              "--dropout",       "0.1",
                              "--learning-rate", "5e-3",
                              "--max-epochs",    "12",
                              "--vocab-size",    "50",
                              "--threads",       "1",
                              "--output",        path(output),
                              "--no-lowercase"};
    return with_more(arguments, more);
  }
};

TEST_F(TrainTagging, LearnsScoresAndTags) {
  const auto trained = run_well(training("model", {"--context", "document", "--word-dropout", "0.1", "--json"}));
  EXPECT_THAT(trained.error, HasSubstr("200 sentences as 50 texts"));
  EXPECT_GE(parse_json(trained.output, "output")["best"]["f1"].get<double>(), 0.95);
  const std::string test = file("test", meetings(3, 50));
  const Json scores = run_json({"evaluate", "tagging", "--model", path("model"), "--data", test, "--context",
                                "document", "--predictions", path("found")});
  EXPECT_GE(scores["f1"].get<double>(), 0.95);
  EXPECT_EQ(scores["sentences"], 50);
  EXPECT_EQ(scores["types"].size(), 2u);
  // The written lines have the same scores by themselves.
  const Json again = run_json({"metric", "entities", "--input", path("found")});
  for (const char* key : {"precision", "recall", "f1", "accuracy", "correct", "expected"})
    EXPECT_EQ(again[key], scores[key]) << key;
  EXPECT_EQ(again["types"], scores["types"]);
  const auto plain = run_well({"evaluate", "tagging", "--model", path("model"), "--data", test});
  EXPECT_THAT(plain.output, HasSubstr("processed "));
  EXPECT_THAT(plain.output, HasSubstr("  PER: precision: "));
  const auto tagged = run_well({"tag", "--model", path("model")}, {.text = "Carla Diaz met Bob in New York .\n"});
  EXPECT_EQ(tagged.output, "PER:0-10:Carla Diaz\tPER:15-18:Bob\tLOC:22-30:New York\n");

  const auto finer =
      run_well({"train", "tagging", "--init", path("model"), "--train", path("train"), "--freeze", "1", "--layer-decay",
                "0.5", "--max-steps", "2", "--threads", "1", "--output", path("again")});
  EXPECT_THAT(finer.error, ::testing::Not(HasSubstr("new parameters")));
  EXPECT_THAT(finer.error, HasSubstr("parameters are trained"));
}

TEST_F(TrainTagging, GoesOnAsIfItHadNotStopped) {
  const Arguments constant{"--schedule", "constant", "--warmup",     "3", "--word-dropout", "0.2",
                           "--context",  "document", "--max-length", "20"};
  expect_goes_on_bit_for_bit([&](const std::string& output) { return training(output, constant); }, 7, 15);
  const Arguments changed{"--max-steps", "20", "--resume", "--label-smoothing", "0.1"};
  run_refused(training("parts", with_more(constant, changed)), 2, "label-smoothing");
}

TEST_F(TrainTagging, AdaptersAreTrainedAndMerged) {
  run_well(training("base", {"--max-steps", "40"}));
  const Arguments adapters{
      "train",          "tagging",     "--init",         path("base"), "--train",         path("train"),
      "--valid",        path("valid"), "--lora-rank",    "4",          "--lora-alpha",    "8",
      "--lora-dropout", "0.1",         "--lora-targets", "all",        "--learning-rate", "5e-3",
      "--max-epochs",   "4",           "--threads",      "1",          "--output",        path("tuned")};
  EXPECT_THAT(run_well(adapters).error, HasSubstr("parameters are trained"));
  const Json config = read_json(path("tuned/adapter/adapter_config.json"));
  EXPECT_EQ(config["r"], 4);
  EXPECT_EQ(config["lora_alpha"], 8);
  EXPECT_EQ(config["base_model_name_or_path"], path("base"));
  EXPECT_EQ(config["modules_to_save"], Json({"classifier"}));
  run_well({"convert", "--model", path("base"), "--adapter", path("tuned/adapter"), "--output", path("merged")});
  const auto scores = [&](const char* model) {
    return run_json({"evaluate", "tagging", "--model", path(model), "--data", path("valid")});
  };
  EXPECT_EQ(scores("merged")["f1"], scores("tuned")["f1"]);
  EXPECT_NEAR(scores("merged")["loss"].get<double>(), scores("tuned")["loss"].get<double>(), 1e-5);
  EXPECT_NE(scores("merged")["loss"], scores("base")["loss"]);
  // The folder of adapters stands for the model.
  EXPECT_EQ(scores("tuned/adapter"), scores("merged"));
  // What --print-config says of such a training asks for the same one.
  const std::string printed = file("printed.yaml", run_well(with_more(adapters, {"--print-config"})).output);
  run_well({"train", "tagging", "--config", printed, "--max-steps", "1", "--output", path("p")});
  std::filesystem::rename(path("base"), path("moved"));
  run_refused({"evaluate", "tagging", "--model", path("tuned/adapter"), "--data", path("valid")}, 3,
              "which is no folder here");
  auto idle = adapters;
  std::ranges::replace(idle, std::string("--lora-rank"), std::string("--patience"));
  idle.back() = path("idle");
  run_refused(idle, 2, "--lora-alpha is for adapters, which --lora-rank asks for");
  run_refused(training("without", {"--lora-rank", "4"}), 2, "--lora-rank is for a model that --init names");
}

TEST_F(TrainTagging, WhiteSpaceInWordsAndTagsLeavesThreeColumns) {
  std::string sentences;
  for (int i = 0; i < 20; ++i)
    sentences += Json{{"tokens", {"Ann", "met", "New\nYork", "the\ttab", "", " ", "Bob"}},
                      {"tags", {"B-GREAT PERSON", "O", "B-LOC", "I-LOC", "O", "O", "B-GREAT PERSON"}}}
                     .dump() +
                 "\n";
  const std::string data = file("spaces.jsonl", sentences);
  run_well({"train",       "tagging",  "--train",   data, "--layers",        "1",
            "--d-model",   "32",       "--dropout", "0",  "--learning-rate", "5e-3",
            "--schedule",  "constant", "--warmup",  "3",  "--vocab-size",    "60",
            "--max-steps", "60",       "--threads", "1",  "--output",        path("model")});
  const Json scores =
      run_json({"evaluate", "tagging", "--model", path("model"), "--data", data, "--predictions", path("found")});
  EXPECT_EQ(scores["expected"], 60);
  EXPECT_GT(scores["correct"], 0);
  int words = 0;
  for (const std::string& line : lines_of(read_file(path("found"))))
    if (!line.empty()) {
      std::istringstream columns(line);
      EXPECT_EQ(std::distance(std::istream_iterator<std::string>(columns), {}), 3) << line;
      ++words;
    }
  EXPECT_EQ(words, 140);
  const Json again = run_json({"metric", "entities", "--input", path("found")});
  for (const char* key : {"precision", "recall", "f1", "accuracy", "correct", "found", "expected"})
    EXPECT_EQ(again[key], scores[key]) << key;
}

TEST_F(TrainTagging, NamesWhatIsWrong) {
  const auto fails = [&](const std::string& name, const std::string& text, const std::string& message) {
    run_refused(
        {"train", "tagging", "--train", file(name, text), "--layers", "1", "--d-model", "32", "--output", path("bad")},
        4, message);
    EXPECT_FALSE(std::filesystem::exists(path("bad")));
  };
  fails("columns", "a X O\nb\n", "columns:2");
  fails("empty", "", "holds no sentence");
  fails("broken.jsonl", "{\"tokens\": [\"a\"], \"tags\": [\"O\"]}\n{\"tokens\": \n", "broken.jsonl:2");
  fails("one", "a O\nb O\n", "all words have the tag \"O\"");
  run_well(training("model", {"--max-steps", "2"}));
  run_refused({"evaluate", "tagging", "--model", path("model"), "--data",
               file("unknown", "Ann I-PER\nruns O\n\nRome I-CITY\n")},
              4, "unknown:4: the tag \"B-CITY\" of \"Rome\" is none of the model's");
  // What would do nothing is refused, too.
  run_refused(training("idle", {"--tokenizer", path("model")}), 2, "--vocab-size is for a tokenizer to train");
  run_refused(training("idle", {"--tokenizer", "byte-bpe", "--vocab-size", "300"}), 2,
              "--lowercase is for word pieces");
  run_refused(training("idle", {"--valid-fraction", "0.1"}), 2, "--valid or --valid-fraction, not both");
  run_refused(training("frozen", {"--freeze", "1"}), 2, "--init");
}

}  // namespace
}  // namespace heed::cli
