#include "cli/program_fixture.h"

namespace heed::cli {
namespace {

using namespace heed::testing;
using DemoCorpusCommand = ProgramTest;

TEST_F(DemoCorpusCommand, WritesAndReports) {
  const Json report = run_json({"demo-corpus", "--output", path("corpus"), "--seed", "7", "--train", "6000"});
  EXPECT_EQ(report["train"], 6000);
  EXPECT_EQ(report["test"], 1001);
  EXPECT_EQ(report["seed"], 7);
  EXPECT_TRUE(read_file(path("corpus/test.en")).starts_with("I am a student\n"));
  EXPECT_TRUE(read_file(path("corpus/test.zh")).starts_with("我 是 一个 学生\n"));
}

TEST_F(DemoCorpusCommand, APrintedConfigurationRerunsTheSame) {
  const Arguments first{"demo-corpus", "--output", path("a"), "--seed", "9", "--train",
                        "4000",        "--valid",  "10",      "--test", "20"};
  run_well(first);
  const auto printed = run_well(with_more(first, {"--print-config"}));
  const std::string config = file("run.yaml", printed.output);
  run_well({"demo-corpus", "--config", config, "--output", path("b")});
  for (const std::string name : {"train.en", "train.zh", "valid.en", "test.zh"})
    EXPECT_EQ(read_file(path("a/" + name)), read_file(path("b/" + name))) << name;
  EXPECT_EQ(run_well({"demo-corpus", "--config", config, "--print-config"}).output, printed.output);
}

TEST_F(DemoCorpusCommand, TheEnvironmentSetsOptionsAndTheFlagWins) {
  const Json report = run_json({"demo-corpus", "--output", path("c"), "--train", "5000", "--test", "20"},
                               {.environment = {{"HEED_SEED", "3"}, {"HEED_TRAIN", "4000"}}});
  EXPECT_EQ(report["seed"], 3);
  EXPECT_EQ(report["train"], 5000);
}

TEST_F(DemoCorpusCommand, ReplacesNothingButACorpus) {
  const Arguments small{"demo-corpus", "--train", "4000", "--valid", "10", "--test", "20", "--output", path("corpus")};
  run_well(small);
  run_well(small);
  file("corpus/precious", "p");
  run_refused(small, 2, "is no demo corpus, for it holds precious");
  EXPECT_EQ(read_file(path("corpus/precious")), "p");
}

TEST_F(DemoCorpusCommand, Errors) {
  EXPECT_EQ(run_heed({"demo-corpus"}).exit_code, 2);
  EXPECT_EQ(run_heed({"demo-corpus"}).error, "heed: error: missing: --output\n");
  EXPECT_EQ(run_heed({"demo-corpus", "--outptu", "x"}).error,
            "heed: error: unknown option '--outptu'; did you mean '--output'?\n");
  run_refused({"demo-corpus", "--config", file("bad.yaml", "tran: 5\n")}, 3,
              "bad.yaml:1: unknown option 'tran'; did you mean 'train'?");
  EXPECT_EQ(run_heed({"demo-corpus", "--output", "/proc/none/x"}).exit_code, 1);
}

}  // namespace
}  // namespace heed::cli
