// heed metric as a process, against the scores that sacreBLEU 2.6 gives for WMT17 English-German.
#include "cli/program_fixture.h"

namespace heed::cli {
namespace {

using namespace heed::testing;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kFolder = "data/metrics/wmt17_ende";

Json expected_scores() { return read_json(shared_path(kFolder) / "scores.json")["systems"]["LIUM-NMT.4900"]; }

Json score(const Arguments& options) {
  const Arguments files{"--input", shared_path(kFolder) / "LIUM-NMT.4900.txt.gz", "--reference",
                        shared_path(kFolder) / "reference.txt.gz"};
  return run_json(with_more(with_more({"metric"}, options), files));
}

TEST(MetricCommand, BleuOfARealSystem) {
  HEED_NEEDS_SHARED(kFolder);
  const Json expected = expected_scores();
  const auto compare = [&](const char* key, const Arguments& options) {
    const Json got = score(with_more({"bleu"}, options));
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
class SmallMetric : public ProgramTest {
 protected:
  const std::string ref_ = file("ref", "The cat sat on the mat .\nIt is raining outside today .\n");
  const std::string ref2_ = file("ref2", "A cat was sitting on the mat .\nToday it rains .\n");
  const std::string hypothesis_ = "The cat sat on a mat .\nIt is raining today .\n";
};

TEST_F(SmallMetric, StandardInputAndSeveralReferences) {
  const auto one = run_well({"metric", "bleu", "--reference", ref_}, {.text = hypothesis_});
  EXPECT_THAT(one.output, StartsWith("BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|"));
  EXPECT_THAT(one.output,
              HasSubstr(" = 41.17 91.7/70.0/37.5/16.7 (BP = 0.920 ratio = 0.923 hyp_len = 12 ref_len = 13)\n"));
  const Json json = run_json({"metric", "bleu", "--reference", ref_, "--reference", ref2_}, {.text = hypothesis_});
  EXPECT_THAT(json["signature"].get<std::string>(), StartsWith("nrefs:2|"));
  EXPECT_NEAR(json["bleu"].get<double>(), 44.7504, 5e-5);
  for (const char* const key : {"bleu", "chrf", "signature"}) EXPECT_TRUE(json.contains(key)) << key;
}

TEST_F(SmallMetric, AScoreForEachLine) {
  const auto result = run_well({"metric", "bleu", "--reference", ref_, "--sentence-level", "--width", "1"},
                               {.text = "The cat sat on the mat .\nIt\n"});
  EXPECT_THAT(result.output, StartsWith("100.0\n"));
  EXPECT_EQ(lines_of(result.output).size(), 2u);
  EXPECT_EQ(run_heed({"metric", "chrf", "--reference", ref_, "--sentence-level", "--confidence"}).exit_code, 2);
}

TEST_F(SmallMetric, IntervalsAndComparisonRepeatBySeed) {
  const Arguments arguments = {"metric", "bleu",       "--reference",
                               ref_,     "--baseline", file("other", "A cat sat on a mat .\nRain today .\n")};
  const Json first = run_json(arguments, {.text = hypothesis_});
  EXPECT_EQ(first, run_json(arguments, {.text = hypothesis_}));
  EXPECT_LT(first["baseline"]["score"].get<double>(), first["bleu"].get<double>());
  EXPECT_GT(first["baseline"]["p_value"].get<double>(), 0);
  EXPECT_GT(first["confidence"]["half_width"].get<double>(), 0);
  EXPECT_THAT(first["signature"].get<std::string>(), HasSubstr("|bs:1000|seed:12345|"));
  EXPECT_NE(first["confidence"], run_json(with_more(arguments, {"--seed", "7"}), {.text = hypothesis_})["confidence"]);
}

TEST_F(SmallMetric, Errors) {
  const auto lines = run_refused({"metric", "bleu", "--reference", ref_}, 4, "1", {.text = "one line\n"});
  EXPECT_THAT(lines.error, HasSubstr("2"));
  EXPECT_EQ(run_heed({"metric", "bleu", "--reference", path("none")}, {.text = "x\n"}).exit_code, 4);
  EXPECT_EQ(run_heed({"metric", "bleu"}).exit_code, 2);
  run_refused({"metric", "bleu", "--reference", ref_, "--tokenize", "13b"}, 2, "did you mean '13a'?");
}

}  // namespace
}  // namespace heed::cli
