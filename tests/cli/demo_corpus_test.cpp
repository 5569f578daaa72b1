#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run_program.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using heed::testing::run_heed;
using ::testing::HasSubstr;

TEST(DemoCorpusCommand, WritesAndReports) {
  const heed::testing::TemporaryFolder folder;
  const std::string target = folder / "corpus";
  const auto result = run_heed({"demo-corpus", "--output", target, "--seed", "7", "--train", "6000", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.error;
  const Json report = parse_json(result.output, "output");
  EXPECT_EQ(report["train"], 6000);
  EXPECT_EQ(report["test"], 1001);
  EXPECT_EQ(report["seed"], 7);
  EXPECT_TRUE(read_file(folder / "corpus/test.en").starts_with("I am a student\n"));
  EXPECT_TRUE(read_file(folder / "corpus/test.zh").starts_with("我 是 一个 学生\n"));
}

TEST(DemoCorpusCommand, APrintedConfigurationRerunsTheSame) {
  const heed::testing::TemporaryFolder folder;
  const std::vector<std::string> options = {"--seed", "9", "--train", "4000", "--valid", "10", "--test", "20"};
  std::vector<std::string> first = {"demo-corpus", "--output", folder / "a"}, print = first;
  first.insert(first.end(), options.begin(), options.end());
  print.insert(print.end(), options.begin(), options.end());
  print.emplace_back("--print-config");
  ASSERT_EQ(run_heed(first).exit_code, 0);
  const auto printed = run_heed(print);
  ASSERT_EQ(printed.exit_code, 0);
  write_file_atomically(folder / "run.yaml", printed.output);
  ASSERT_EQ(run_heed({"demo-corpus", "--config", folder / "run.yaml", "--output", folder / "b"}).exit_code, 0);
  for (const char* const name : {"train.en", "train.zh", "valid.en", "test.zh"})
    EXPECT_EQ(read_file(folder / "a" / name), read_file(folder / "b" / name)) << name;
  EXPECT_EQ(run_heed({"demo-corpus", "--config", folder / "run.yaml", "--print-config"}).output, printed.output);
}

TEST(DemoCorpusCommand, TheEnvironmentSetsOptionsAndTheFlagWins) {
  const heed::testing::TemporaryFolder folder;
  const std::map<std::string, std::string> environment = {{"HEED_SEED", "3"}, {"HEED_TRAIN", "4000"}};
  const auto result = run_heed({"demo-corpus", "--output", folder / "c", "--train", "5000", "--test", "20", "--json"},
                               {.environment = environment});
  ASSERT_EQ(result.exit_code, 0) << result.error;
  EXPECT_EQ(parse_json(result.output, "output")["seed"], 3);
  EXPECT_EQ(parse_json(result.output, "output")["train"], 5000);
}

TEST(DemoCorpusCommand, Errors) {
  EXPECT_EQ(run_heed({"demo-corpus"}).exit_code, 2);
  EXPECT_EQ(run_heed({"demo-corpus"}).error, "heed: error: missing: --output\n");
  EXPECT_EQ(run_heed({"demo-corpus", "--outptu", "x"}).error,
            "heed: error: unknown option '--outptu'; did you mean '--output'?\n");
  const heed::testing::TemporaryFolder folder;
  write_file_atomically(folder / "bad.yaml", "tran: 5\n");
  const auto bad = run_heed({"demo-corpus", "--config", folder / "bad.yaml"});
  EXPECT_EQ(bad.exit_code, 3);
  EXPECT_THAT(bad.error, HasSubstr("bad.yaml:1: unknown option 'tran'; did you mean 'train'?"));
  EXPECT_EQ(run_heed({"demo-corpus", "--output", "/proc/none/x"}).exit_code, 1);
}

}  // namespace
}  // namespace heed::cli
