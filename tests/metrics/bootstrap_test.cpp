#include "heed/metrics/bootstrap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <ctime>
#include <map>

#include "heed/base/error.h"
#include "heed/base/random.h"
#include "heed/metrics/bleu.h"
#include "heed/metrics/chrf.h"
#include "sacrebleu_cases.h"
#include "shared_files.h"

namespace heed::metrics {
namespace {

using testing::kMetricsData;
using Lines = std::vector<std::string>;

struct Interval {
  double mean, half_width;
};

// sacreBLEU 2.6.0, NumPy 2.4.6: corpus_score(lines, [reference], n_bootstrap=1000), printed with repr().
struct Recorded {
  Interval bleu, bleu_none_addk, chrf, chrfpp;
};

const std::map<std::string, Recorded> kIntervals = {
    {"LIUM-NMT.4900",
     {{26.599396007541003, 0.6482889830520566},
      {21.611073097700242, 0.6336381522436643},
      {55.93054962158203, 0.47041893005371094},
      {53.23619079589844, 0.47361183166503906}}},
    {"KIT.4950",
     {{26.076321998569867, 0.6667205894986648},
      {21.147869053794516, 0.6690447047090071},
      {55.7647705078125, 0.4463233947753906},
      {52.98917007446289, 0.4694862365722656}}},
    {"LMU-nmt-single.4893",
     {{26.541573739040476, 0.6707117467902393},
      {21.498743317381663, 0.6335075657045603},
      {55.926414489746094, 0.43863677978515625},
      {53.088783264160156, 0.45001983642578125}}},
    {"uedin-nmt.4722",
     {{28.30834234378847, 0.6819717191359622},
      {23.393378097934953, 0.6650493888289297},
      {57.7313117980957, 0.45606040954589844},
      {55.016700744628906, 0.47086524963378906}}},
    {"PROMT-Rule-based.4735",
     {{16.60552103543142, 0.5256098630672152},
      {13.132435423142294, 0.49139257657462476},
      {50.35579299926758, 0.3977775573730469},
      {46.987464904785156, 0.40824317932128906}}},
};

void expect_interval(const std::optional<Confidence>& ours, const Interval& recorded) {
  ASSERT_TRUE(ours);
  EXPECT_NEAR(ours->mean, recorded.mean, 1e-9);
  EXPECT_NEAR(ours->half_width, recorded.half_width, 1e-9);
}

TEST(Bootstrap, GivesSacrebleusIntervals) {
  HEED_NEEDS_SHARED(kMetricsData);
  const References references = testing::wmt17_references();
  const BootstrapOptions bootstrap;
  BleuOptions none_addk;
  none_addk.tokenizer = BleuTokenizer::kNone;
  none_addk.smoothing = BleuSmoothing::kAddK;
  for (const auto& [name, lines, scores] : testing::wmt17_systems()) {
    SCOPED_TRACE(name);
    const Recorded& recorded = kIntervals.at(name);
    expect_interval(corpus_bleu(lines, references, {}, bootstrap).confidence, recorded.bleu);
    expect_interval(corpus_bleu(lines, references, none_addk, bootstrap).confidence, recorded.bleu_none_addk);
    expect_interval(corpus_chrf(lines, references, {}, bootstrap).confidence, recorded.chrf);
    expect_interval(corpus_chrf(lines, references, {6, 2}, bootstrap).confidence, recorded.chrfpp);
  }
}

TEST(Bootstrap, PrintsSacrebleusLine) {
  HEED_NEEDS_SHARED(kMetricsData);
  const References references = testing::wmt17_references();
  const testing::System system = testing::wmt17_systems()[0];
  ASSERT_EQ(system.name, "LIUM-NMT.4900");
  EXPECT_EQ(corpus_bleu(system.lines, references, {}, BootstrapOptions{}).format(),
            "BLEU = 26.60 (μ = 26.60 ± 0.65) 58.9/32.3/20.1/13.0 "
            "(BP = 1.000 ratio = 1.020 hyp_len = 62496 ref_len = 61287)");
  EXPECT_EQ(corpus_chrf(system.lines, references, {}, BootstrapOptions{}).format(), "chrF2 = 55.93 (μ = 55.93 ± 0.47)");
}

// sacreBLEU 2.6.0: PairedTest(systems, {BLEU(tokenize="none"), CHRF()}, "bs", n_samples=2000), LIUM-NMT the baseline.
struct RecordedTest {
  Interval bleu;
  double bleu_p;
  Interval chrf;
  double chrf_p;
};

const std::map<std::string, RecordedTest> kTests = {
    {"KIT.4950",
     {{21.159132911509136, 0.6390758557940401},
      0.02448775612193903,
      {55.771244049072266, 0.4632740020751953},
      0.1089455272363818}},
    {"LMU-nmt-single.4893",
     {{21.503381514796384, 0.6338975815764396},
      0.2098950524737631,
      {55.93063735961914, 0.4416999816894531},
      0.4097951024487756}},
    {"uedin-nmt.4722",
     {{23.40607233435494, 0.6761633618161902},
      0.0004997501249375312,
      {57.735984802246094, 0.4641876220703125},
      0.0004997501249375312}},
    {"PROMT-Rule-based.4735",
     {{13.142374455397883, 0.48972399167166003},
      0.0004997501249375312,
      {50.36290740966797, 0.39946937561035156},
      0.0004997501249375312}},
};

TEST(Bootstrap, GivesSacrebleusPairedTest) {
  HEED_NEEDS_SHARED(kMetricsData);
  const References references = testing::wmt17_references();
  const std::vector<testing::System> systems = testing::wmt17_systems();
  ASSERT_EQ(systems[0].name, "LIUM-NMT.4900");
  BleuOptions none;
  none.tokenizer = BleuTokenizer::kNone;
  for (const auto& [name, lines, scores] : systems) {
    if (name == systems[0].name) continue;
    SCOPED_TRACE(name);
    const RecordedTest& recorded = kTests.at(name);
    const PairedResult bleu = paired_bleu(systems[0].lines, lines, references, none, {2000, 12345});
    EXPECT_EQ(bleu.p_value, recorded.bleu_p);
    EXPECT_NEAR(bleu.baseline_score, systems[0].scores["bleu_none"]["score"], 1e-9);
    EXPECT_NEAR(bleu.system_score, scores["bleu_none"]["score"], 1e-9);
    expect_interval(bleu.baseline, {21.625595124374502, 0.6217002092830164});
    expect_interval(bleu.system, recorded.bleu);
    const PairedResult chrf = paired_chrf(systems[0].lines, lines, references, {}, {2000, 12345});
    EXPECT_EQ(chrf.p_value, recorded.chrf_p);
    expect_interval(chrf.baseline, {55.936485290527344, 0.4673271179199219});
    expect_interval(chrf.system, recorded.chrf);
  }
}

// Moses' own program, the mean of three runs of 2,000 samples: sacreBLEU's tests accept 0.01.
TEST(Bootstrap, AgreesWithMoses) {
  HEED_NEEDS_SHARED(kMetricsData);
  const Json recorded =
      read_json(heed::testing::shared_path("data/metrics/wmt17_ende/scores.json"))["paired_bootstrap"];
  const References references = testing::wmt17_references();
  const std::vector<testing::System> systems = testing::wmt17_systems();
  BleuOptions none;
  none.tokenizer = BleuTokenizer::kNone;
  for (const auto& [name, lines, scores] : systems) {
    if (name == recorded["baseline"]) continue;
    EXPECT_NEAR(paired_bleu(systems[0].lines, lines, references, none, {2000, 12345}).p_value,
                recorded["moses_sigdiff_p (2000 samples, mean of 3 runs)"][name], 0.01);
  }
}

TEST(Bootstrap, FindsNoDifferenceToItselfBeyondSacrebleusRule) {
  const Lines lines = {"a b c d e", "f g h i"};
  const PairedResult result = paired_bleu(lines, lines, {{"a b c d"}, {"f g h j"}}, {}, {99, 1});
  EXPECT_EQ(result.p_value, 0.01);
  EXPECT_EQ(result.baseline_score, result.system_score);
}

// The mean of n draws has the standard error sigma / sqrt(n), so the half width is near 1.96 of it.
TEST(Bootstrap, CoversTheStandardError) {
  SegmentStatistics statistics;
  statistics.width = 1;
  Random random(3);
  for (int i = 0; i < 2000; ++i) statistics.values.push_back(random.below(1000));
  const ScoreOfSums<double> mean = [](std::span<const float> sums) { return sums[0] / 2000.0; };
  const Confidence confidence = bootstrap_confidence(statistics, mean, {4000, 5});
  const double average = static_cast<double>(statistics.sums()[0]) / 2000;
  const double expected = 1.96 * 1000 / std::sqrt(12.0) / std::sqrt(2000.0);
  EXPECT_NEAR(confidence.mean, average, 0.1 * expected);
  EXPECT_NEAR(confidence.half_width, expected, 0.1 * expected);
}

TEST(Bootstrap, RepeatsForASeedAndChangesWithIt) {
  SegmentStatistics statistics;
  statistics.width = 1;
  for (int i = 0; i < 50; ++i) statistics.values.push_back(i * i);
  const ScoreOfSums<float> sum = [](std::span<const float> sums) { return sums[0]; };
  EXPECT_EQ(bootstrap_scores(statistics, sum, {10, 1}), bootstrap_scores(statistics, sum, {10, 1}));
  EXPECT_NE(bootstrap_scores(statistics, sum, {10, 1}), bootstrap_scores(statistics, sum, {10, 2}));
}

TEST(Bootstrap, HandlesOneSegment) {
  const BleuScore score = corpus_bleu(Lines{"a b c d e"}, {{"a b c d"}}, {}, BootstrapOptions{});
  ASSERT_TRUE(score.confidence);
  EXPECT_NEAR(score.confidence->mean, score.score, 1e-4);
  EXPECT_EQ(score.confidence->half_width, 0);
}

TEST(Bootstrap, RefusesWhatCannotBeSampled) {
  const ScoreOfSums<double> zero = [](std::span<const float>) { return 0.0; };
  EXPECT_THROW(bootstrap_scores(SegmentStatistics{}, zero, {}), DataError);
  EXPECT_THROW(bootstrap_scores(SegmentStatistics{1, {1}}, zero, {1, 0}), UsageError);
  try {
    paired_bootstrap(SegmentStatistics{1, {1, 2}}, 0, SegmentStatistics{1, {1}}, 0, zero, {});
    FAIL() << "no error";
  } catch (const DataError& e) {
    EXPECT_THAT(e.what(), ::testing::AllOf(::testing::HasSubstr("2 segments"), ::testing::HasSubstr("system has 1")));
  }
}

TEST(Bootstrap, TakesLittleTime) {
  SegmentStatistics statistics;
  statistics.width = 10;
  statistics.values.assign(30000, 3);
  const ScoreOfSums<double> first = [](std::span<const float> sums) { return double{sums[0]}; };
  const std::clock_t start = std::clock();
  EXPECT_EQ(bootstrap_confidence(statistics, first, {}).mean, 9000);
  // 0.01 s in a release build.
  EXPECT_LT(std::clock() - start, 10 * CLOCKS_PER_SEC);
}

}  // namespace
}  // namespace heed::metrics
