#include <gtest/gtest.h>

#include "cli/run_program.h"
#include "heed/base/json.h"
#include "shared_files.h"

namespace heed {
namespace {

std::string model(const std::string& name) { return testing::source_path("tests/golden/models/" + name).string(); }

TEST(GenerateCommand, AnswersIdsWithIds) {
  const auto run = testing::run_heed({"generate", "--model", model("gpt2_inverse_layer_idx"), "--prompt-ids",
                                      "37,38,16,28,22", "--max-new-tokens", "10", "--json", "--quiet"});
  ASSERT_EQ(run.exit_code, 0) << run.error;
  const Json answer = parse_json(run.output, "output");
  const std::vector<int32_t> expected = {37, 38, 16, 28, 22, 8, 8, 8, 8, 18, 18, 18, 18, 18, 18};
  EXPECT_EQ(answer["ids"].get<std::vector<int32_t>>(), expected);
  EXPECT_EQ(answer["new_tokens"], 10);
  EXPECT_EQ(answer["prompt_tokens"], 5);
  EXPECT_EQ(answer["finish_reason"], "length");
  EXPECT_GT(answer["tokens_per_second"].get<double>(), 0);
}

TEST(GenerateCommand, SearchAndSamplingOptionsAct) {
  const auto ids = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"generate",     "--model",  model("gpt2_inverse_layer_idx"),
                                          "--prompt-ids", "37 38 16", "--max-new-tokens",
                                          "12",           "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto run = testing::run_heed(arguments);
    EXPECT_EQ(run.exit_code, 0) << run.error;
    return run.output;
  };
  const std::string greedy = ids({});
  EXPECT_EQ(greedy, ids({"--temperature", "0"}));
  EXPECT_EQ(greedy, ids({"--top-k", "1"}));
  EXPECT_NE(greedy, ids({"--temperature", "5"}));
  EXPECT_EQ(ids({"--temperature", "5", "--seed", "3"}), ids({"--temperature", "5", "--seed", "3"}));
  EXPECT_NE(ids({"--temperature", "5", "--seed", "3"}), ids({"--temperature", "5", "--seed", "4"}));
  EXPECT_EQ(greedy, ids({"--temperature", "5", "--no-sample"}));
  EXPECT_NE(greedy, ids({"--no-repeat-ngram-size", "1"}));
  EXPECT_NE(greedy, ids({"--repetition-penalty", "5"}));
  const std::string three = ids({"--n", "3", "--beam", "4"});
  EXPECT_EQ(std::count(three.begin(), three.end(), '\n'), 3);
}

// What a folder has in bf16 stays so in memory, and gives what it gives in f32.
TEST(GenerateCommand, MatricesInBf16AreTheSameNumbers) {
  const auto answer = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"generate",
                                          "--model",
                                          model("llama_sharded_bf16"),
                                          "--prompt-ids",
                                          "3,5,8",
                                          "--beam",
                                          "2",
                                          "--max-new-tokens",
                                          "8",
                                          "--json",
                                          "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto run = testing::run_heed(arguments);
    EXPECT_EQ(run.exit_code, 0) << run.error;
    const Json found = parse_json(run.output, "output");
    return Json{found["ids"], found["score"], found["sum_log_prob"]};
  };
  const Json usual = answer({});
  EXPECT_EQ(usual[0].size(), 11u);
  EXPECT_EQ(answer({"--dtype", "auto"}), usual);
  EXPECT_EQ(answer({"--dtype", "f32"}), usual);
  EXPECT_EQ(answer({"--dtype", "bf16"}), usual);
}

TEST(GenerateCommand, SaysWhatIsMissing) {
  const auto error = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"generate", "--model", model("gpt2_inverse_layer_idx")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto run = testing::run_heed(arguments);
    EXPECT_NE(run.exit_code, 0);
    return run.error;
  };
  EXPECT_NE(error({"--prompt", "text"}).find("tokenizer"), std::string::npos);
  EXPECT_NE(error({"--prompt-ids", "1,x"}).find("--prompt-ids"), std::string::npos);
  EXPECT_NE(error({"--prompt-ids", "1,41"}).find("41"), std::string::npos);
  EXPECT_NE(error({"--prompt-ids", "1", "--beam", "2", "--temperature", "2"}).find("do_sample"), std::string::npos);
  EXPECT_NE(error({"--prompt-ids", "1", "--chat"}).find("template"), std::string::npos);
}

}  // namespace
}  // namespace heed
