#include "heed/tasks/classification_scores.h"

#include <algorithm>
#include <cmath>

#include "heed/base/error.h"
#include "heed/metrics/classification.h"

namespace heed::tasks {
namespace {

using Scores = std::vector<std::pair<std::string, double>>;

// Of the positive class, 1.
double binary_f1(const std::vector<int32_t>& expected, const std::vector<int32_t>& found) {
  int64_t right = 0, marked = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    right += expected[i] == 1 && found[i] == 1;
    marked += (expected[i] == 1) + (found[i] == 1);
  }
  return marked > 0 ? 2.0 * static_cast<double>(right) / static_cast<double>(marked) : 0;
}

Scores of_one_label(const ClassificationAnswers& expected, const std::vector<std::vector<float>>& outputs) {
  std::vector<int32_t> found;
  found.reserve(outputs.size());
  for (const auto& o : outputs) found.push_back(static_cast<int32_t>(std::max_element(o.begin(), o.end()) - o.begin()));
  const auto report = metrics::classification_report(expected.classes, found);
  Scores scores{{"accuracy", report.accuracy}};
  if (!outputs.empty() && outputs[0].size() == 2) scores.emplace_back("f1", binary_f1(expected.classes, found));
  scores.emplace_back("macro_f1", report.macro_f1);
  scores.emplace_back("matthews", report.matthews);
  return scores;
}

Scores of_several_labels(const ClassificationAnswers& expected, const std::vector<std::vector<float>>& outputs) {
  std::vector<uint8_t> wanted, found;
  for (const float value : expected.values) wanted.push_back(value >= 0.5f);
  for (const auto& row : outputs)
    for (const float value : row) found.push_back(value >= 0.5f);
  const int labels = outputs.empty() ? 1 : static_cast<int>(outputs[0].size());
  const auto report = metrics::multi_label_report(wanted, found, labels);
  return {{"micro_f1", report.micro_f1}, {"macro_f1", report.macro_f1}, {"subset_accuracy", report.subset_accuracy}};
}

Scores of_regression(const ClassificationAnswers& expected, const std::vector<std::vector<float>>& outputs) {
  const size_t width = outputs.empty() ? 1 : outputs[0].size();
  double pearson = 0, spearman = 0, error = 0;
  for (size_t column = 0; column < width; ++column) {
    std::vector<double> wanted, found;
    for (size_t i = 0; i < outputs.size(); ++i) {
      wanted.push_back(expected.values[i * width + column]);
      found.push_back(outputs[i][column]);
    }
    const auto share = 1 / static_cast<double>(width);
    pearson += share * metrics::pearson(found, wanted);
    spearman += share * metrics::spearman(found, wanted);
    error += share * metrics::mean_squared_error(found, wanted);
  }
  return {{"pearson", pearson}, {"spearman", spearman}, {"mse", error}};
}

}  // namespace

Scores classification_scores(models::Problem problem, const ClassificationAnswers& expected,
                             const std::vector<std::vector<float>>& outputs) {
  switch (problem) {
    case models::Problem::kSingleLabel: return of_one_label(expected, outputs);
    case models::Problem::kMultiLabel: return of_several_labels(expected, outputs);
    case models::Problem::kRegression: return of_regression(expected, outputs);
  }
  return {};
}

ValidationResult classification_validation(models::Problem problem, const ClassificationAnswers& expected,
                                           const std::vector<std::vector<float>>& outputs) {
  ValidationResult result;
  if (problem == models::Problem::kSingleLabel) {
    double loss = 0;
    for (size_t i = 0; i < outputs.size(); ++i)
      loss -= std::log(std::max(outputs[i][static_cast<size_t>(expected.classes[i])], 1e-30f));
    result.metrics.emplace_back("loss", loss / static_cast<double>(outputs.size()));
  }
  const Scores scores = classification_scores(problem, expected, outputs);
  result.metrics.insert(result.metrics.end(), scores.begin(), scores.end());
  result.score = scores.front().second;
  return result;
}

}  // namespace heed::tasks
