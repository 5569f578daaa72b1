#include "heed/metrics/classification.h"

#include <gtest/gtest.h>

#include <cmath>

#include "heed/base/error.h"
#include "recorded_scores.h"

namespace heed::metrics {
namespace {

TEST(Classification, EqualsScikitLearn) {
  for (const Json& recorded : testing::recorded_scores()["classes"]) {
    const auto expected = recorded["true"].get<std::vector<int32_t>>();
    const auto found = recorded["pred"].get<std::vector<int32_t>>();
    const ClassificationReport report = classification_report(expected, found);
    EXPECT_NEAR(report.accuracy, recorded["accuracy"], 1e-12);
    EXPECT_NEAR(report.macro_f1, recorded["macro_f1"], 1e-12);
    EXPECT_NEAR(report.matthews, recorded["matthews"], 1e-12);
    if (recorded["pearson"].is_null()) continue;
    const auto x = recorded["x"].get<std::vector<double>>(), y = recorded["y"].get<std::vector<double>>();
    EXPECT_NEAR(pearson(x, y), recorded["pearson"], 1e-9);
    EXPECT_NEAR(spearman(x, y), recorded["spearman"], 1e-9);
  }
}

TEST(Classification, SeveralLabelsEqualScikitLearn) {
  for (const Json& recorded : testing::recorded_scores()["multi_label"]) {
    std::vector<uint8_t> expected, found;
    for (const Json& row : recorded["true"])
      for (const int x : row) expected.push_back(static_cast<uint8_t>(x));
    for (const Json& row : recorded["pred"])
      for (const int x : row) found.push_back(static_cast<uint8_t>(x));
    const int labels = static_cast<int>(recorded["true"][0].size());
    const MultiLabelReport report = multi_label_report(expected, found, labels);
    EXPECT_NEAR(report.subset_accuracy, recorded["accuracy"], 1e-12);
    EXPECT_NEAR(report.micro_f1, recorded["micro_f1"], 1e-12);
    EXPECT_NEAR(report.macro_f1, recorded["macro_f1"], 1e-12);
  }
}

TEST(Classification, EdgesAreDefined) {
  EXPECT_EQ(classification_report({}, {}).accuracy, 0);
  const std::vector<int32_t> ones{1, 1}, two{1, 2};
  EXPECT_EQ(classification_report(ones, ones).matthews, 0);
  EXPECT_THROW(classification_report(ones, {}), DataError);
  const std::vector<double> constant{1, 1}, rising{1, 2};
  EXPECT_TRUE(std::isnan(pearson(constant, rising)));
  EXPECT_DOUBLE_EQ(mean_squared_error(constant, rising), 0.5);
  const std::vector<uint8_t> decisions{1, 0, 1};
  EXPECT_THROW(multi_label_report(decisions, decisions, 2), DataError);
}

}  // namespace
}  // namespace heed::metrics
