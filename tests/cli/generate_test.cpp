// heed generate as a process, with ids for text.
#include "cli/program_fixture.h"

namespace heed {
namespace {

using namespace testing;

std::string model(const std::string& name) { return source_path("tests/golden/models/" + name).string(); }

Arguments generate(const Arguments& more) {
  return with_more({"generate", "--model", model("gpt2_inverse_layer_idx")}, more);
}

TEST(GenerateCommand, AnswersIdsWithIds) {
  const Json answer = run_json(generate({"--prompt-ids", "37,38,16,28,22", "--max-new-tokens", "10", "--quiet"}));
  const std::vector<int32_t> expected = {37, 38, 16, 28, 22, 8, 8, 8, 8, 18, 18, 18, 18, 18, 18};
  EXPECT_EQ(answer["ids"].get<std::vector<int32_t>>(), expected);
  EXPECT_EQ(answer["new_tokens"], 10);
  EXPECT_EQ(answer["prompt_tokens"], 5);
  EXPECT_EQ(answer["finish_reason"], "length");
  EXPECT_GT(answer["tokens_per_second"].get<double>(), 0);
}

TEST(GenerateCommand, SearchAndSamplingOptionsAct) {
  const auto ids = [](const Arguments& more) {
    const Arguments usual = generate({"--prompt-ids", "37 38 16", "--max-new-tokens", "12", "--quiet"});
    return run_well(with_more(usual, more)).output;
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
  const auto error = [](const Arguments& more) {
    const auto run = run_heed(generate(more));
    EXPECT_NE(run.exit_code, 0);
    return run.error;
  };
  EXPECT_NE(error({"--prompt", "text"}).find("tokenizer"), std::string::npos);
  EXPECT_NE(error({"--prompt-ids", "1,x"}).find("--prompt-ids"), std::string::npos);
  EXPECT_NE(error({"--prompt-ids", "1,41"}).find("41"), std::string::npos);
  EXPECT_NE(error({"--prompt-ids", "1", "--beam", "2", "--temperature", "2"}).find("do_sample"), std::string::npos);
  EXPECT_NE(error({"--chat"}).find("template"), std::string::npos);
  EXPECT_NE(error({"--prompt-ids", "1", "--chat"}).find("not for conversations"), std::string::npos);
  EXPECT_NE(error({"--prompt-ids", "1", "--system", "s"}).find("--system begins"), std::string::npos);
  EXPECT_NE(error({"--prompt-ids", "1", "--input", "f"}).find("--input is for"), std::string::npos);
  EXPECT_NE(error({"--prompt-ids", "1,,2"}).find("no list of ids"), std::string::npos);
  std::string many = "1";
  for (int i = 0; i < 2000; ++i) many += ",1";
  EXPECT_NE(error({"--prompt-ids", many}).find("--prompt-ids: a text of 2001 tokens"), std::string::npos);
}

}  // namespace
}  // namespace heed
