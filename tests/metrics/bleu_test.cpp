#include "heed/metrics/bleu.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>

#include "heed/base/error.h"
#include "sacrebleu_cases.h"
#include "shared_files.h"

namespace heed::metrics {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::kMetricsData;
using testing::sacrebleu_cases;
using Lines = std::vector<std::string>;
using Counts = std::vector<int64_t>;

References references_of(const Json& recorded) {
  return references_by_segment(recorded["refs"].get<std::vector<Lines>>());
}

BleuOptions floor_options(double value) {
  BleuOptions options;
  options.tokenizer = BleuTokenizer::kNone;
  options.smoothing = BleuSmoothing::kFloor;
  options.smooth_value = value;
  return options;
}

TEST(Bleu, EqualsSacrebleusCorpusTests) {
  HEED_NEEDS_SHARED(kMetricsData);
  for (const Json& recorded : sacrebleu_cases("corpus_bleu")) {
    BleuOptions options;
    for (const auto& [key, value] : recorded["options"].items()) {
      if (key == "tokenize") options.tokenizer = bleu_tokenizer(value.get<std::string>());
      else if (key == "smooth_method") options.smoothing = bleu_smoothing(value.get<std::string>());
      else FAIL() << "unknown option " << key;
    }
    EXPECT_NEAR(corpus_bleu(recorded["hyp"].get<Lines>(), references_of(recorded), options).score, recorded["bleu"],
                1e-6);  // as many digits as were recorded
  }
  for (const Json& recorded : sacrebleu_cases("corpus_bleu_max_ngram_order")) {
    BleuOptions options;
    options.max_order = recorded["order"];
    EXPECT_EQ(fmt::format("{:.2f}", corpus_bleu(recorded["hyp"].get<Lines>(), references_of(recorded), options).score),
              recorded["bleu_2_decimals"]);
  }
  BleuOptions raw = floor_options(0.01);
  raw.effective_order = true;  // as sacrebleu.raw_corpus_bleu sets it
  for (const Json& recorded : sacrebleu_cases("raw_corpus_bleu_floor_0.01"))
    EXPECT_NEAR(corpus_bleu(recorded["hyp"].get<Lines>(), references_of(recorded), raw).score,
                100 * recorded["bleu"].get<double>(), 1e-8);
}

TEST(Bleu, EqualsSacrebleusCountTests) {
  HEED_NEEDS_SHARED(kMetricsData);
  for (const Json& recorded : sacrebleu_cases("raw_corpus_bleu_counts")) {
    const BleuScore score = corpus_bleu(recorded["hyp"].get<Lines>(), references_of(recorded), floor_options(0.01));
    EXPECT_EQ(score.counts, recorded["counts"].get<Counts>());
    EXPECT_EQ(score.totals, recorded["totals"].get<Counts>());
  }
  for (const Json& recorded : sacrebleu_cases("smoothing_offset")) {
    const auto hyp = recorded["hyp"].get<Lines>();
    EXPECT_NEAR(corpus_bleu(hyp, references_of(recorded), floor_options(0.1)).score,
                100 * recorded["floor_0.1"].get<double>(), 1e-8);
    EXPECT_EQ(corpus_bleu(hyp, references_of(recorded), floor_options(0)).score,
              100 * recorded["floor_0"].get<double>());
  }
  for (const char* key : {"compute_bleu_from_counts", "degenerate_counts"})
    for (const Json& recorded : sacrebleu_cases(key)) {
      Counts sums = {recorded["sys_len"], recorded["ref_len"]};
      for (const int64_t count : recorded["counts"]) sums.push_back(count);
      for (const int64_t total : recorded["totals"]) sums.push_back(total);
      const double value = recorded.contains("smooth_value") ? recorded["smooth_value"].get<double>() : 0;
      EXPECT_NEAR(bleu_from_sums(sums, floor_options(value)).score, 100 * recorded["bleu"].get<double>(), 1e-8);
    }
}

TEST(Bleu, EqualsSacrebleusSentenceTests) {
  HEED_NEEDS_SHARED(kMetricsData);
  for (const Json& recorded : sacrebleu_cases("sentence_bleu")) {
    BleuOptions options;
    options.effective_order = true;
    options.tokenizer = bleu_tokenizer(recorded["tokenize"].get<std::string>());
    options.smoothing = bleu_smoothing(recorded["smooth_method"].get<std::string>());
    if (!recorded["smooth_value"].is_null()) options.smooth_value = recorded["smooth_value"].get<double>();
    options.lowercase = recorded["lowercase"];
    EXPECT_NEAR(sentence_bleu(recorded["hyp"], {recorded["ref"]}, options).score, recorded["bleu"], 1e-3);
  }
}

// The options of a key of scores.json, as "bleu_13a_lc".
BleuOptions recorded_options(const std::string& key) {
  BleuOptions options;
  if (key == "bleu_13a_lc") options.lowercase = true;
  else if (key == "bleu_13a_floor") options.smoothing = BleuSmoothing::kFloor;
  else if (key == "bleu_13a_addk") options.smoothing = BleuSmoothing::kAddK;
  else if (key == "bleu_13a_order2") options.max_order = 2;
  else if (key != "bleu_13a_two_refs") options.tokenizer = bleu_tokenizer(key.substr(5));
  return options;
}

void expect_score(const BleuScore& score, const Json& recorded, int64_t added) {
  EXPECT_NEAR(score.score, recorded["score"], 1e-9);
  EXPECT_NEAR(score.brevity_penalty, recorded["bp"], 1e-12);
  EXPECT_EQ(score.hyp_len, recorded["sys_len"]);
  EXPECT_EQ(score.ref_len, recorded["ref_len"]);
  ASSERT_EQ(score.precisions.size(), recorded["precisions"].size());
  for (size_t n = 0; n < score.precisions.size(); ++n) {
    EXPECT_NEAR(score.precisions[n], recorded["precisions"][n], 1e-9);
    // sacreBLEU's counts hold what add-k added.
    EXPECT_EQ(score.counts[n] + (n > 0 ? added : 0), recorded["counts"][n]);
    EXPECT_EQ(score.totals[n] + (n > 0 ? added : 0), recorded["totals"][n]);
  }
}

TEST(Bleu, EqualsSacrebleuOnRealTranslations) {
  HEED_NEEDS_SHARED(kMetricsData);
  const Lines reference = testing::wmt17_reference();
  const std::vector<testing::System> systems = testing::wmt17_systems();
  size_t compared = 0;
  for (const auto& [name, lines, scores] : systems)
    for (const auto& [key, recorded] : scores.items()) {
      if (!key.starts_with("bleu_")) continue;
      SCOPED_TRACE(name + " " + key);
      const BleuOptions options = recorded_options(key);
      std::vector<Lines> streams = {reference};
      if (key == "bleu_13a_two_refs") streams.push_back(systems[0].lines);
      const References references = references_by_segment(streams);
      expect_score(corpus_bleu(lines, references, options), recorded,
                   options.smoothing == BleuSmoothing::kAddK ? 1 : 0);
      if (recorded.contains("signature")) {
        // Equal up to the program and version, and the order, which sacreBLEU leaves out.
        const std::string expected = recorded["signature"], ours = bleu_signature(options, references);
        EXPECT_TRUE(ours.starts_with(expected.substr(0, expected.find("|version")))) << ours << " " << expected;
      }
      ++compared;
    }
  EXPECT_EQ(compared, 10 * systems.size() - 1);  // the first system is not its own second reference
}

TEST(Bleu, EqualsSacrebleuOnRealSentences) {
  HEED_NEEDS_SHARED(kMetricsData);
  const Lines reference = testing::wmt17_reference();
  BleuOptions options;
  options.effective_order = true;
  for (const auto& [name, lines, scores] : testing::wmt17_systems())
    for (size_t i = 0; i < 100; ++i)
      EXPECT_NEAR(sentence_bleu(lines[i], {reference[i]}, options).score,
                  scores["sentence_first_100"]["bleu_effective_order"][i], 5.1e-7);  // six decimals were recorded
}

// Expected values of the tests below were printed by sacreBLEU 2.6.0 (Python 3.11).

TEST(Bleu, CountsAnEmptyReferenceButNotAMissingOne) {
  const Lines hyp = {"a b c d", "x"};
  const BleuScore empty = corpus_bleu(hyp, {{"a b c d e f"}, {""}});
  EXPECT_NEAR(empty.score, 77.4307739756353, 1e-12);
  EXPECT_THAT(empty.counts, ElementsAre(4, 3, 2, 1));
  EXPECT_THAT(empty.totals, ElementsAre(5, 3, 2, 1));
  EXPECT_EQ(empty.ref_len, 6);
  const References missing = {{"the cat sat down"}, {"a dog", "the dog ran"}};
  EXPECT_EQ(corpus_bleu(Lines{"the cat sat", "a dog"}, missing).ref_len, 6);
  EXPECT_THAT(bleu_signature({}, missing), HasSubstr("nrefs:var|"));
}

TEST(Bleu, HandlesEmptyHypotheses) {
  const BleuScore one = corpus_bleu(Lines{"", "a dog ran home now"}, {{"the cat"}, {"a dog ran home now"}});
  EXPECT_NEAR(one.score, 67.03200460356396, 1e-12);
  EXPECT_EQ(one.format(), "BLEU = 67.03 100.0/100.0/100.0/100.0 (BP = 0.670 ratio = 0.714 hyp_len = 5 ref_len = 7)");
  EXPECT_EQ(corpus_bleu(Lines{" ", "\u3000"}, {{"a"}, {"b"}}).format(1, "s"),
            "BLEU|s = 0.0 0.0/0.0/0.0/0.0 (BP = 0.000 ratio = 0.000 hyp_len = 0 ref_len = 2)");
  EXPECT_EQ(corpus_bleu(Lines{""}, {{""}}).format(),
            "BLEU = 0.00 0.0/0.0/0.0/0.0 (BP = 1.000 ratio = 0.000 hyp_len = 0 ref_len = 0)");
}

TEST(Bleu, UsesTheEffectiveOrderOnRequest) {
  BleuOptions options;
  EXPECT_EQ(corpus_bleu(Lines{"a b c"}, {{"a b c"}}, options).score, 0);
  options.effective_order = true;
  EXPECT_NEAR(corpus_bleu(Lines{"a b c"}, {{"a b c"}}, options).score, 100, 1e-12);
}

TEST(Bleu, TakesTheClosestReferenceAndTheShorterOfTwo) {
  EXPECT_EQ(corpus_bleu(Lines{"x a"}, {{"a b c d e f", "y"}}).ref_len, 1);
  EXPECT_EQ(corpus_bleu(Lines{"x y z"}, {{"a b c d", "a b"}}).ref_len, 2);
  EXPECT_EQ(corpus_bleu(Lines{"x y z"}, {{"a b", "a b c d"}}).ref_len, 2);
}

TEST(Bleu, ClipsByTheReferenceWithMost) {
  BleuOptions options;
  options.max_order = 2;
  options.smoothing = BleuSmoothing::kNone;
  const BleuScore score = corpus_bleu(Lines{"the the the the"}, {{"the cat the", "the"}}, options);
  EXPECT_THAT(score.counts, ElementsAre(2, 0));
  EXPECT_THAT(score.totals, ElementsAre(4, 3));
  EXPECT_EQ(score.score, 0);
}

TEST(Bleu, SmoothsAndLowersCase) {
  const Lines hyp = {"a b c d e f g h"};
  const References references = {{"a x b x c d x e"}};
  BleuOptions options;
  options.smoothing = BleuSmoothing::kFloor;
  options.smooth_value = 0.3;
  EXPECT_NEAR(corpus_bleu(hyp, references, options).score, 12.793100393454049, 1e-12);
  EXPECT_THAT(bleu_signature(options, references), HasSubstr("|smooth:floor[0.30]|"));
  options.smoothing = BleuSmoothing::kAddK;
  options.smooth_value = 2;
  EXPECT_NEAR(corpus_bleu(hyp, references, options).score, 34.926710282900494, 1e-12);
  BleuOptions lower;
  lower.lowercase = true;
  EXPECT_NEAR(corpus_bleu(Lines{"HELLO Wörld ÄÖ x y.  "}, {{"hello wörld äö X z."}}, lower).score, 53.7284965911771,
              1e-12);
}

TEST(Bleu, SignsWithItsOwnName) {
  const std::string tail = "|impl:heed-" HEED_VERSION "|compatible:sacrebleu-2.6.0";
  BleuOptions options;
  EXPECT_EQ(bleu_signature(options, {{"a"}}), "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp" + tail);
  options = {BleuTokenizer::kIntl, true, BleuSmoothing::kAddK, {}, 2, true};
  EXPECT_EQ(bleu_signature(options, {{"a", "b"}}, BootstrapOptions{}),
            "nrefs:2|bs:1000|seed:12345|case:lc|eff:yes|tok:intl|smooth:add-k[1.00]|order:2" + tail);
}

TEST(Bleu, RefusesWhatCannotBeScored) {
  EXPECT_THROW(corpus_bleu({}, {}), DataError);
  EXPECT_THROW(corpus_bleu(Lines{"a"}, {{"a"}, {"b"}}), DataError);
  EXPECT_THROW(corpus_bleu(Lines{"a"}, {{}}), DataError);
  BleuOptions options;
  options.max_order = 0;
  EXPECT_THROW(corpus_bleu(Lines{"a"}, {{"a"}}, options), UsageError);
  options.max_order = 4;
  options.smooth_value = -1;
  EXPECT_THROW(corpus_bleu(Lines{"a"}, {{"a"}}, options), UsageError);
  EXPECT_THROW(bleu_from_sums(Counts{1, 2, 3}), UsageError);
  try {
    bleu_smoothing("add");
    FAIL() << "no error";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("'add', only exp, floor, add-k, none"));
  }
}

TEST(Bleu, ScoresAVeryLongLine) {
  std::string line;
  while (line.size() < 300'000) line += line.size() % 3 == 0 ? "ab " : "a.";
  const std::clock_t start = std::clock();
  EXPECT_NEAR(corpus_bleu(Lines{line}, {{line}}).score, 100, 1e-12);
  EXPECT_LT(std::clock() - start, 15 * CLOCKS_PER_SEC);
}

}  // namespace
}  // namespace heed::metrics
