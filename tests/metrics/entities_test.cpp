#include "heed/metrics/entities.h"

#include <gtest/gtest.h>

#include "heed/base/error.h"
#include "recorded_scores.h"

namespace heed::metrics {
namespace {

TEST(Entities, EqualSeqevals) {
  for (const Json& recorded : testing::recorded_scores()["tags"]) {
    const auto expected = recorded["true"].get<TagSequences>(), found = recorded["pred"].get<TagSequences>();
    for (size_t i = 0; i < expected.size(); ++i) {
      std::vector<Entity> entities;
      for (const Json& e : recorded["entities"][i])
        entities.push_back({e[0], e[1].get<int64_t>(), e[2].get<int64_t>() + 1});
      EXPECT_EQ(find_entities(expected[i]), entities) << recorded["true"][i].dump();
    }
    const EntityScore score = entity_report(expected, found).all;
    EXPECT_DOUBLE_EQ(score.precision(), recorded["precision"]);
    EXPECT_DOUBLE_EQ(score.recall(), recorded["recall"]);
    EXPECT_NEAR(score.f1(), recorded["f1"].get<double>(), 1e-15);
  }
}

TEST(Entities, OfIob1BeginWhereTheTypeChangesOrBSaysSo) {
  const std::vector<std::string> tags{"I-LOC", "I-LOC", "B-LOC", "I-PER", "O", "I-PER"};
  EXPECT_EQ(find_entities(tags), (std::vector<Entity>{{"LOC", 0, 2}, {"LOC", 2, 3}, {"PER", 3, 4}, {"PER", 5, 6}}));
}

TEST(Entities, ReportReadsLikeConllevals) {
  const EntityReport report = entity_report({{"B-NP", "I-NP", "O", "B-VP"}}, {{"B-NP", "I-NP", "B-VP", "B-VP"}});
  EXPECT_EQ(report.conlleval(),
            "processed 4 tokens with 2 phrases; found: 3 phrases; correct: 2.\n"
            "accuracy:  75.00%; precision:  66.67%; recall: 100.00%; FB1:  80.00\n"
            "               NP: precision: 100.00%; recall: 100.00%; FB1: 100.00  1\n"
            "               VP: precision:  50.00%; recall: 100.00%; FB1:  66.67  2\n");
}

TEST(Entities, SequencesMustMatch) {
  EXPECT_THROW(entity_report({{"O"}}, {}), DataError);
  EXPECT_THROW(entity_report({{"O", "O"}}, {{"O"}}), DataError);
  EXPECT_EQ(entity_report({}, {}).all.f1(), 0);
}

}  // namespace
}  // namespace heed::metrics
