#include "heed/metrics/chrf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>

#include "heed/base/error.h"
#include "heed/metrics/bleu.h"
#include "sacrebleu_cases.h"
#include "shared_files.h"

namespace heed::metrics {
namespace {

using testing::kMetricsData;
using testing::sacrebleu_cases;
using Lines = std::vector<std::string>;

ChrfOptions with_beta(int beta, bool eps_smoothing, bool whitespace = false) {
  ChrfOptions options;
  options.beta = beta;
  options.eps_smoothing = eps_smoothing;
  options.whitespace = whitespace;
  return options;
}

TEST(Chrf, EqualsSacrebleusTests) {
  HEED_NEEDS_SHARED(kMetricsData);
  const auto expect_corpus = [](const char* key, const ChrfOptions& options) {
    for (const Json& recorded : sacrebleu_cases(key)) {
      const References references = references_by_segment(std::vector<Lines>{recorded["ref"].get<Lines>()});
      EXPECT_NEAR(corpus_chrf(recorded["hyp"].get<Lines>(), references, options).score, recorded["chrf"], 1e-4)
          << recorded.dump();
    }
  };
  expect_corpus("chrf_corpus", with_beta(3, true));
  expect_corpus("chrf_corpus_effective_order", with_beta(3, false));
  expect_corpus("chrf_corpus_keep_whitespace", with_beta(3, false, true));
  for (const Json& recorded : sacrebleu_cases("chrf_sentence"))
    EXPECT_NEAR(sentence_chrf(recorded["hyp"], recorded["refs"].get<Lines>(), with_beta(2, true)).score,
                recorded["chrf"], 1e-7);
}

TEST(Chrf, EqualsSacrebleuOnRealTranslations) {
  HEED_NEEDS_SHARED(kMetricsData);
  const References references = testing::wmt17_references();
  std::vector<std::pair<std::string, ChrfOptions>> variants(5);
  variants[0].first = "chrf2";
  variants[1].first = "chrf2pp";
  variants[1].second.word_order = 2;
  variants[2].first = "chrf3_order6";
  variants[2].second.beta = 3;
  variants[3].first = "chrf2_lc";
  variants[3].second.lowercase = true;
  variants[4].first = "chrf2_ws";
  variants[4].second.whitespace = true;
  for (const auto& [name, lines, scores] : testing::wmt17_systems())
    for (const auto& [key, options] : variants) {
      EXPECT_NEAR(corpus_chrf(lines, references, options).score, scores[key]["score"], 1e-9) << name << " " << key;
      const std::string expected = scores[key]["signature"], ours = chrf_signature(options, references);
      EXPECT_TRUE(ours.starts_with(expected.substr(0, expected.find("|version")))) << ours << " " << expected;
    }
}

TEST(Chrf, EqualsSacrebleuOnRealSentences) {
  HEED_NEEDS_SHARED(kMetricsData);
  const Lines reference = testing::wmt17_reference();
  for (const auto& [name, lines, scores] : testing::wmt17_systems())
    for (size_t i = 0; i < 100; ++i)
      EXPECT_NEAR(sentence_chrf(lines[i], {reference[i]}).score, scores["sentence_first_100"]["chrf2"][i], 5.1e-7);
}

// Expected values of the tests below were printed by sacreBLEU 2.6.0 (Python 3.11).

TEST(Chrf, TakesTheBestReference) {
  ChrfOptions options;
  options.word_order = 2;
  EXPECT_NEAR(
      corpus_chrf(Lines{"the (cat) sat!", "a dog"}, {{"the cat, sat"}, {"a dog", "the dog ran"}}, options).score,
      38.900857012057536, 1e-12);
  options.lowercase = options.whitespace = true;
  EXPECT_NEAR(corpus_chrf(Lines{"the cat sat", "a dog"}, {{"", "the bat"}, {"a cat", ""}}, options).score,
              24.260067928190193, 1e-12);
}

TEST(Chrf, HandlesEmptyLines) {
  EXPECT_NEAR(corpus_chrf(Lines{"the cat sat", "a dog"}, {{""}, {"a cat"}}).score, 6.25, 1e-12);
  EXPECT_EQ(corpus_chrf(Lines{""}, {{"abc"}}).score, 0);
  EXPECT_EQ(corpus_chrf(Lines{""}, {{""}}).score, 0);
  EXPECT_NEAR(corpus_chrf(Lines{""}, {{""}}, with_beta(2, true)).score, 1e-14, 1e-20);
  EXPECT_NEAR(corpus_chrf(Lines{"ab"}, {{"abc"}}, with_beta(2, true)).score, 21.16402116402116, 1e-12);
}

TEST(Chrf, CountsWordsAndCharacters) {
  ChrfOptions options{3, 2};
  EXPECT_NEAR(corpus_chrf(Lines{"我是学生。 x"}, {{"我 是 学生 。"}}, options).score, 57.04787234042552, 1e-12);
  options = {0, 3, 1};
  EXPECT_NEAR(corpus_chrf(Lines{"a b c", "d"}, {{"a b c d e f"}, {"de"}}, options).score, 51.64800995024876, 1e-12);
  EXPECT_EQ(corpus_chrf(Lines{"a b"}, {{"ab"}}, {0, 2}).score, 0);
}

TEST(Chrf, IsNamedByItsOptions) {
  EXPECT_EQ(corpus_chrf(Lines{"The Cat"}, {{"the cat"}}, {6, 1, 3, true}).format(), "chrF3+ = 100.00");
  EXPECT_EQ(corpus_chrf(Lines{"a"}, {{"a"}}, {6, 2}).format(1, "s"), "chrF2++|s = 100.0");
  const std::string tail = "|impl:heed-" HEED_VERSION "|compatible:sacrebleu-2.6.0";
  EXPECT_EQ(chrf_signature({}, {{"a"}}), "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no" + tail);
  EXPECT_EQ(chrf_signature({5, 2, 2, true, true, true}, {{"a"}}, BootstrapOptions{}),
            "nrefs:1|bs:1000|seed:12345|case:lc|eff:no|nc:5|nw:2|space:yes" + tail);
}

TEST(Chrf, RefusesWhatCannotBeScored) {
  EXPECT_THROW(corpus_chrf({}, {}), DataError);
  EXPECT_THROW(corpus_chrf(Lines{"a"}, {{"a"}, {"b"}}), DataError);
  EXPECT_THROW(corpus_chrf(Lines{"a"}, {{"a"}}, {0, 0}), UsageError);
  EXPECT_THROW(corpus_chrf(Lines{"a"}, {{"a"}}, {-1, 2}), UsageError);
  EXPECT_THROW(corpus_chrf(Lines{"a"}, {{"a"}}, {6, 0, 0}), UsageError);
  EXPECT_THROW(chrf_from_sums(std::vector<int64_t>{1, 2, 3}), UsageError);
}

TEST(Chrf, ScoresAVeryLongLine) {
  std::string line;
  while (line.size() < 300'000) line += line.size() % 3 == 0 ? "ab " : "a";
  const std::clock_t start = std::clock();
  EXPECT_NEAR(corpus_chrf(Lines{line}, {{line}}, {6, 2}).score, 100, 1e-9);
  EXPECT_LT(std::clock() - start, 15 * CLOCKS_PER_SEC);
}

}  // namespace
}  // namespace heed::metrics
