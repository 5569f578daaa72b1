// heed metric as a process, against the scores that sacreBLEU 2.6 gives for WMT17 English-German.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/run_program.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using heed::testing::run_heed;
using heed::testing::shared_path;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kFolder = "data/metrics/wmt17_ende";

Json expected_scores() { return read_json(shared_path(kFolder) / "scores.json")["systems"]["LIUM-NMT.4900"]; }

Json score(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "metric");
  for (const std::string text : {"--input", "--reference"}) {
    arguments.push_back(text);
    arguments.push_back(shared_path(kFolder) / (text == "--input" ? "LIUM-NMT.4900.txt.gz" : "reference.txt.gz"));
  }
  arguments.emplace_back("--json");
  const auto result = run_heed(arguments);
  EXPECT_EQ(result.exit_code, 0) << result.error;
  return parse_json(result.output, "output");
}

TEST(MetricCommand, BleuOfARealSystem) {
  HEED_NEEDS_SHARED(kFolder);
  const Json expected = expected_scores();
  const auto compare = [&](const char* key, const std::vector<std::string>& options) {
    std::vector<std::string> arguments = {"bleu"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Json got = score(arguments);
    EXPECT_NEAR(got["bleu"].get<double>(), expected[key]["score"].get<double>(), 1e-9) << key;
    if (std::string(key) != "bleu_13a_addk") {  // sacreBLEU states them with k added
      EXPECT_EQ(got["counts"], expected[key]["counts"]) << key;
      EXPECT_EQ(got["totals"], expected[key]["totals"]) << key;
    }
    EXPECT_EQ(got["hyp_len"], expected[key]["sys_len"]) << key;
    EXPECT_EQ(got["ref_len"], expected[key]["ref_len"]) << key;
    const auto signature = expected[key]["signature"].get<std::string>();
    EXPECT_THAT(got["signature"].get<std::string>(), StartsWith(signature.substr(0, signature.find("|version"))));
  };
  compare("bleu_13a", {});
  compare("bleu_intl", {"--tokenize", "intl"});
  compare("bleu_13a_lc", {"--lowercase"});
  compare("bleu_13a_addk", {"--smooth", "add-k"});
}

TEST(MetricCommand, ChrfOfARealSystem) {
  HEED_NEEDS_SHARED(kFolder);
  const Json expected = expected_scores();
  EXPECT_NEAR(score({"chrf"})["chrf"].get<double>(), expected["chrf2"]["score"].get<double>(), 1e-9);
  EXPECT_NEAR(score({"chrf", "--word-order", "2"})["chrf"].get<double>(), expected["chrf2pp"]["score"].get<double>(),
              1e-9);
  EXPECT_NEAR(score({"chrf", "--lowercase"})["chrf"].get<double>(), expected["chrf2_lc"]["score"].get<double>(), 1e-9);
  EXPECT_NEAR(score({"chrf"})["bleu"].get<double>(), expected["bleu_13a"]["score"].get<double>(), 1e-9);
}

// Small corpora whose scores sacreBLEU 2.6 printed.
class SmallMetric : public ::testing::Test {
 protected:
  SmallMetric() {
    write_file_atomically(folder_ / "ref", "The cat sat on the mat .\nIt is raining outside today .\n");
    write_file_atomically(folder_ / "ref2", "A cat was sitting on the mat .\nToday it rains .\n");
  }
  std::string file(const std::string& name) const { return folder_ / name; }
  heed::testing::TemporaryFolder folder_;
  const std::string hypothesis_ = "The cat sat on a mat .\nIt is raining today .\n";
};

TEST_F(SmallMetric, StandardInputAndSeveralReferences) {
  const auto one = run_heed({"metric", "bleu", "--reference", file("ref")}, {.text = hypothesis_});
  ASSERT_EQ(one.exit_code, 0) << one.error;
  EXPECT_THAT(one.output, StartsWith("BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|"));
  EXPECT_THAT(one.output,
              HasSubstr(" = 41.17 91.7/70.0/37.5/16.7 (BP = 0.920 ratio = 0.923 hyp_len = 12 ref_len = 13)\n"));
  const auto two = run_heed({"metric", "bleu", "--reference", file("ref"), "--reference", file("ref2"), "--json"},
                            {.text = hypothesis_});
  const Json json = parse_json(two.output, "output");
  EXPECT_THAT(json["signature"].get<std::string>(), StartsWith("nrefs:2|"));
  EXPECT_NEAR(json["bleu"].get<double>(), 44.7504, 5e-5);
  for (const char* const key : {"bleu", "chrf", "signature"}) EXPECT_TRUE(json.contains(key)) << key;
}

TEST_F(SmallMetric, AScoreForEachLine) {
  const auto result = run_heed({"metric", "bleu", "--reference", file("ref"), "--sentence-level", "--width", "1"},
                               {.text = "The cat sat on the mat .\nIt\n"});
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_THAT(result.output, StartsWith("100.0\n"));
  EXPECT_EQ(std::count(result.output.begin(), result.output.end(), '\n'), 2);
  EXPECT_EQ(run_heed({"metric", "chrf", "--reference", file("ref"), "--sentence-level", "--confidence"}).exit_code, 2);
}

TEST_F(SmallMetric, IntervalsAndComparisonRepeatBySeed) {
  write_file_atomically(folder_ / "other", "A cat sat on a mat .\nRain today .\n");
  const std::vector<std::string> arguments = {"metric",     "bleu",        "--reference", file("ref"),
                                              "--baseline", file("other"), "--json"};
  const Json first = parse_json(run_heed(arguments, {.text = hypothesis_}).output, "output");
  EXPECT_EQ(first, parse_json(run_heed(arguments, {.text = hypothesis_}).output, "output"));
  EXPECT_LT(first["baseline"]["score"].get<double>(), first["bleu"].get<double>());
  EXPECT_GT(first["baseline"]["p_value"].get<double>(), 0);
  EXPECT_GT(first["confidence"]["half_width"].get<double>(), 0);
  EXPECT_THAT(first["signature"].get<std::string>(), HasSubstr("|bs:1000|seed:12345|"));
  std::vector<std::string> other = arguments;
  other.insert(other.end(), {"--seed", "7"});
  EXPECT_NE(first["confidence"], parse_json(run_heed(other, {.text = hypothesis_}).output, "output")["confidence"]);
}

TEST_F(SmallMetric, Errors) {
  const auto lines = run_heed({"metric", "bleu", "--reference", file("ref")}, {.text = "one line\n"});
  EXPECT_EQ(lines.exit_code, 4);
  EXPECT_THAT(lines.error, HasSubstr("1"));
  EXPECT_THAT(lines.error, HasSubstr("2"));
  EXPECT_EQ(run_heed({"metric", "bleu", "--reference", file("none")}, {.text = "x\n"}).exit_code, 4);
  EXPECT_EQ(run_heed({"metric", "bleu"}).exit_code, 2);
  const auto tokenizer = run_heed({"metric", "bleu", "--reference", file("ref"), "--tokenize", "13b"});
  EXPECT_EQ(tokenizer.exit_code, 2);
  EXPECT_THAT(tokenizer.error, HasSubstr("did you mean '13a'?"));
}

}  // namespace
}  // namespace heed::cli
