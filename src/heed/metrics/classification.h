// Scores of classifiers and regressions, as scikit-learn and SciPy define them. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace heed::metrics {

// Of single-label classification, expected[i] and found[i] being classes.
struct ClassificationReport {
  double accuracy = 0;
  double macro_f1 = 0;  // mean F1 of the classes that stand on either side
  double matthews = 0;  // Matthews' correlation for any number of classes (Gorodkin 2004); 0 where it is undefined
  int64_t examples = 0;
};
// Throws DataError if the two differ in length.
ClassificationReport classification_report(std::span<const int32_t> expected, std::span<const int32_t> found);

// Of several labels: [examples * labels], each true or false.
struct MultiLabelReport {
  double subset_accuracy = 0;  // examples whose labels are all right
  double micro_f1 = 0;         // of all decisions
  double macro_f1 = 0;         // mean over the labels
  int64_t examples = 0;
};
MultiLabelReport multi_label_report(std::span<const uint8_t> expected, std::span<const uint8_t> found, int labels);

// Correlations of two series; NaN where one is constant or shorter than 2. Throws DataError if they differ in length.
double pearson(std::span<const double> x, std::span<const double> y);
double spearman(std::span<const double> x, std::span<const double> y);  // of ranks, equal values sharing their mean
double mean_squared_error(std::span<const double> x, std::span<const double> y);

}  // namespace heed::metrics
