#include "heed/metrics/rouge.h"

#include <gtest/gtest.h>

#include "heed/base/error.h"
#include "heed/metrics/porter_stemmer.h"
#include "recorded_scores.h"

namespace heed::metrics {
namespace {

void expect_equal(const RougeScore& score, const Json& recorded, const std::string& what) {
  EXPECT_NEAR(score.precision, recorded[0], 1e-12) << what;
  EXPECT_NEAR(score.recall, recorded[1], 1e-12) << what;
  EXPECT_NEAR(score.f, recorded[2], 1e-12) << what;
}

TEST(Rouge, EqualsGooglesRougeScore) {
  std::vector<std::string> summaries;
  std::vector<std::vector<std::string>> references;
  double sum = 0;
  for (const Json& recorded : testing::recorded_scores()["rouge"]) {
    summaries.push_back(recorded["summary"]);
    references.push_back(recorded["references"].get<std::vector<std::string>>());
    sum += recorded["stem"]["rougeLsum"][2].get<double>();
    for (const char* kind : {"plain", "stem"}) {
      const RougeScores s = rouge(summaries.back(), references.back(), {.stem = std::string(kind) == "stem"});
      const std::string what = recorded.dump();
      expect_equal(s.rouge1, recorded[kind]["rouge1"], "1 " + what);
      expect_equal(s.rouge2, recorded[kind]["rouge2"], "2 " + what);
      expect_equal(s.rouge_l, recorded[kind]["rougeL"], "L " + what);
      expect_equal(s.rouge_l_sum, recorded[kind]["rougeLsum"], "Lsum " + what);
    }
  }
  EXPECT_NEAR(corpus_rouge(summaries, references).rouge_l_sum.f, sum / static_cast<double>(summaries.size()), 1e-12);
}

TEST(Rouge, StemsAreThoseOfNltk) {
  for (const auto& [word, stem] : testing::recorded_scores()["stems"].items())
    EXPECT_EQ(porter_stem(word), stem) << word;
}

TEST(Rouge, NeedsReferences) {
  EXPECT_THROW(rouge("a", {}), DataError);
  const std::vector<std::string> one{"a"};
  EXPECT_THROW(corpus_rouge(one, {}), DataError);
}

}  // namespace
}  // namespace heed::metrics
