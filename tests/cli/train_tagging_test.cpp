// heed train tagging and heed evaluate tagging as processes: from CoNLL columns to a tagger and its scores; what is
// refused; going on after a stop; part of a model frozen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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

class TrainTagging : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  std::string path(const std::string& name) const { return folder_ / name; }

  std::vector<std::string> training(const std::string& output, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"train",
                                       "tagging",
                                       "--train",
                                       file("train", meetings(1, 200)),
                                       "--valid",
                                       file("valid", meetings(2, 40)),
                                       "--layers",
                                       "1",
                                       "--d-model",
                                       "32",
                                       "--heads",
                                       "2",
                                       "--dropout",
                                       "0.1",
                                       "--learning-rate",
                                       "5e-3",
                                       "--max-epochs",
                                       "12",
                                       "--vocab-size",
                                       "50",
                                       "--no-lowercase",
                                       "--threads",
                                       "1",
                                       "--output",
                                       path(output)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  heed::testing::TemporaryFolder folder_;
};

TEST_F(TrainTagging, LearnsScoresAndTags) {
  const auto trained = run_heed(training("model", {"--context", "document", "--word-dropout", "0.1", "--json"}));
  ASSERT_EQ(trained.exit_code, 0) << trained.error;
  EXPECT_THAT(trained.error, HasSubstr("200 sentences as 50 texts"));
  EXPECT_GE(parse_json(trained.output, "output")["best"]["f1"].get<double>(), 0.95);
  const std::string test = file("test", meetings(3, 50));
  const auto evaluated = run_heed({"evaluate", "tagging", "--model", path("model"), "--data", test, "--context",
                                   "document", "--predictions", path("found"), "--json"});
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.error;
  const Json scores = parse_json(evaluated.output, "output");
  EXPECT_GE(scores["f1"].get<double>(), 0.95);
  EXPECT_EQ(scores["sentences"], 50);
  EXPECT_EQ(scores["types"].size(), 2u);
  // The written lines have the same scores by themselves.
  const Json again = parse_json(run_heed({"metric", "entities", "--input", path("found"), "--json"}).output, "output");
  for (const char* key : {"precision", "recall", "f1", "accuracy", "correct", "expected"})
    EXPECT_EQ(again[key], scores[key]) << key;
  EXPECT_EQ(again["types"], scores["types"]);
  const auto plain = run_heed({"evaluate", "tagging", "--model", path("model"), "--data", test});
  EXPECT_THAT(plain.output, HasSubstr("processed "));
  EXPECT_THAT(plain.output, HasSubstr("  PER: precision: "));
  const auto tagged = run_heed({"tag", "--model", path("model")}, {.text = "Carla Diaz met Bob in New York .\n"});
  EXPECT_EQ(tagged.output, "PER:0-10:Carla Diaz\tPER:15-18:Bob\tLOC:22-30:New York\n");

  const auto finer =
      run_heed({"train", "tagging", "--init", path("model"), "--train", path("train"), "--freeze", "1", "--layer-decay",
                "0.5", "--max-steps", "2", "--threads", "1", "--output", path("again")});
  ASSERT_EQ(finer.exit_code, 0) << finer.error;
  EXPECT_THAT(finer.error, ::testing::Not(HasSubstr("new parameters")));
  EXPECT_THAT(finer.error, HasSubstr("parameters are trained"));
}

TEST_F(TrainTagging, GoesOnAsIfItHadNotStopped) {
  const std::vector<std::string> constant{"--schedule", "constant", "--warmup",     "3", "--word-dropout", "0.2",
                                          "--context",  "document", "--max-length", "20"};
  const auto with = [&](const char* steps, std::vector<std::string> more) {
    more.insert(more.end(), constant.begin(), constant.end());
    more.insert(more.end(), {"--max-steps", steps});
    return more;
  };
  ASSERT_EQ(run_heed(training("parts", with("7", {}))).exit_code, 0);
  const auto resumed = run_heed(training("parts", with("15", {"--resume"})));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.error;
  ASSERT_EQ(run_heed(training("unbroken", with("15", {}))).exit_code, 0);
  EXPECT_EQ(read_file(path("parts/checkpoints/step-000015/model.safetensors")),
            read_file(path("unbroken/checkpoints/step-000015/model.safetensors")));
  const auto changed = run_heed(training("parts", with("20", {"--resume", "--label-smoothing", "0.1"})));
  EXPECT_NE(changed.exit_code, 0);
  EXPECT_THAT(changed.error, HasSubstr("label-smoothing"));
}

TEST_F(TrainTagging, AdaptersAreTrainedAndMerged) {
  ASSERT_EQ(run_heed(training("base", {"--max-steps", "40"})).exit_code, 0);
  const std::vector<std::string> adapters{
      "train",          "tagging",     "--init",         path("base"), "--train",         path("train"),
      "--valid",        path("valid"), "--lora-rank",    "4",          "--lora-alpha",    "8",
      "--lora-dropout", "0.1",         "--lora-targets", "all",        "--learning-rate", "5e-3",
      "--max-epochs",   "4",           "--threads",      "1",          "--output",        path("tuned")};
  const auto trained = run_heed(adapters);
  ASSERT_EQ(trained.exit_code, 0) << trained.error;
  EXPECT_THAT(trained.error, HasSubstr("parameters are trained"));
  const Json config = read_json(path("tuned/adapter/adapter_config.json"));
  EXPECT_EQ(config["r"], 4);
  EXPECT_EQ(config["lora_alpha"], 8);
  EXPECT_EQ(config["base_model_name_or_path"], path("base"));
  EXPECT_EQ(config["modules_to_save"], Json({"classifier"}));
  const auto merged =
      run_heed({"convert", "--model", path("base"), "--adapter", path("tuned/adapter"), "--output", path("merged")});
  ASSERT_EQ(merged.exit_code, 0) << merged.error;
  const auto scores = [&](const char* model) {
    const auto result = run_heed({"evaluate", "tagging", "--model", path(model), "--data", path("valid"), "--json"});
    EXPECT_EQ(result.exit_code, 0) << result.error;
    return parse_json(result.output, "output");
  };
  EXPECT_EQ(scores("merged")["f1"], scores("tuned")["f1"]);
  EXPECT_NEAR(scores("merged")["loss"].get<double>(), scores("tuned")["loss"].get<double>(), 1e-5);
  EXPECT_NE(scores("merged")["loss"], scores("base")["loss"]);
  // The folder of adapters stands for the model.
  EXPECT_EQ(scores("tuned/adapter"), scores("merged"));
  // What --print-config says of such a training asks for the same one.
  auto printing = adapters;
  printing.emplace_back("--print-config");
  const std::string printed = file("printed.yaml", run_heed(printing).output);
  const auto from_file = run_heed({"train", "tagging", "--config", printed, "--max-steps", "1", "--output", path("p")});
  EXPECT_EQ(from_file.exit_code, 0) << from_file.error;
  std::filesystem::rename(path("base"), path("moved"));
  const auto lost = run_heed({"evaluate", "tagging", "--model", path("tuned/adapter"), "--data", path("valid")});
  EXPECT_EQ(lost.exit_code, 3);
  EXPECT_THAT(lost.error, HasSubstr("which is no folder here"));
  auto idle = adapters;
  std::ranges::replace(idle, std::string("--lora-rank"), std::string("--patience"));
  idle.back() = path("idle");
  const auto no_rank = run_heed(idle);
  EXPECT_EQ(no_rank.exit_code, 2);
  EXPECT_THAT(no_rank.error, HasSubstr("--lora-alpha is for adapters, which --lora-rank asks for"));
  const auto without = run_heed(training("without", {"--lora-rank", "4"}));
  EXPECT_EQ(without.exit_code, 2);
  EXPECT_THAT(without.error, HasSubstr("--lora-rank is for a model that --init names"));
}

TEST_F(TrainTagging, NamesWhatIsWrong) {
  const auto fails = [&](const std::string& name, const std::string& text, const std::string& message) {
    const auto result = run_heed(
        {"train", "tagging", "--train", file(name, text), "--layers", "1", "--d-model", "32", "--output", path("bad")});
    EXPECT_EQ(result.exit_code, 4) << name << ": " << result.error;
    EXPECT_THAT(result.error, HasSubstr(message)) << name;
    EXPECT_FALSE(std::filesystem::exists(path("bad")));
  };
  fails("columns", "a X O\nb\n", "columns:2");
  fails("empty", "", "holds no sentence");
  fails("broken.jsonl", "{\"tokens\": [\"a\"], \"tags\": [\"O\"]}\n{\"tokens\": \n", "broken.jsonl:2");
  fails("one", "a O\nb O\n", "all words have the tag \"O\"");
  ASSERT_EQ(run_heed(training("model", {"--max-steps", "2"})).exit_code, 0);
  const auto unknown = run_heed({"evaluate", "tagging", "--model", path("model"), "--data",
                                 file("unknown", "Ann I-PER\nruns O\n\nRome I-CITY\n")});
  EXPECT_EQ(unknown.exit_code, 4);
  EXPECT_THAT(unknown.error, HasSubstr("unknown:4: the tag \"B-CITY\" of \"Rome\" is none of the model's"));
  // What would do nothing is refused, too.
  const auto idle = [&](std::vector<std::string> more) {
    const auto result = run_heed(training("idle", std::move(more)));
    EXPECT_EQ(result.exit_code, 2);
    return result.error;
  };
  EXPECT_THAT(idle({"--tokenizer", path("model")}), HasSubstr("--vocab-size is for a tokenizer to train"));
  EXPECT_THAT(idle({"--tokenizer", "byte-bpe", "--vocab-size", "300"}), HasSubstr("--lowercase is for word pieces"));
  EXPECT_THAT(idle({"--valid-fraction", "0.1"}), HasSubstr("--valid or --valid-fraction, not both"));
  const auto frozen = run_heed(training("frozen", {"--freeze", "1"}));
  EXPECT_EQ(frozen.exit_code, 2);
  EXPECT_THAT(frozen.error, HasSubstr("--init"));
}

}  // namespace
}  // namespace heed::cli
