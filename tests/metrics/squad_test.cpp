#include "heed/metrics/squad.h"

#include <gtest/gtest.h>

#include "heed/base/error.h"
#include "recorded_scores.h"

namespace heed::metrics {
namespace {

TEST(Squad, AnswersScoreAsByTheOfficialDefinitions) {
  for (const Json& recorded : testing::recorded_scores()["squad"]) {
    const auto references = recorded["references"].get<std::vector<std::string>>();
    const std::string answer = recorded["answer"];
    EXPECT_EQ(normalize_answer(answer), recorded["normalized"]) << answer;
    for (const auto& [key, version] : {std::pair("v1", SquadVersion::k1), std::pair("v2", SquadVersion::k2)}) {
      const AnswerScore score = score_answer(answer, references, version);
      EXPECT_EQ(score.exact, recorded[key][0]) << key << recorded.dump();
      EXPECT_NEAR(score.f1, recorded[key][1], 1e-12) << key << recorded.dump();
    }
  }
}

TEST(Squad, ReportTellsAnswerableFromUnanswerable) {
  const std::vector<std::string> answers{"the cat", "dog", "", "x"};
  const std::vector<std::vector<std::string>> references{{"cat", "a dog"}, {"big dog"}, {}, {}};
  const AnswerReport report = answer_report(answers, references);
  EXPECT_DOUBLE_EQ(report.exact, 50);
  EXPECT_DOUBLE_EQ(report.f1, 100 * (1 + 2.0 / 3 + 1) / 4);
  EXPECT_DOUBLE_EQ(report.answerable_exact, 50);
  EXPECT_DOUBLE_EQ(report.unanswerable_exact, 50);
  EXPECT_EQ(report.questions, 4);
  EXPECT_EQ(report.answerable, 2);
  EXPECT_THROW(answer_report(answers, {}), DataError);
}

}  // namespace
}  // namespace heed::metrics
