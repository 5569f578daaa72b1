// How good a classifier is on labelled examples, as scikit-learn and SciPy score it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "heed/models/interface.h"
#include "heed/tasks/training_task.h"

namespace heed::tasks {

// What is right for each example: `classes` of one label (where labels share the example, the first of the largest
// share), `values` of several labels (0 or 1), regression, and of one label the shares, if there are any
// [examples * labels].
struct ClassificationAnswers {
  std::vector<int32_t> classes;
  std::vector<float> values;
};

// The scores by name, the one that models are chosen by first: accuracy (and f1, macro_f1, matthews) of one label,
// micro_f1 (and macro_f1, subset_accuracy) of several, pearson (and spearman, mse) of a regression, mean over its
// numbers. `f1` is there for two labels alone: that of the second. `outputs`: for each example the model's
// probabilities, or the numbers of a regression.
std::vector<std::pair<std::string, double>> classification_scores(models::Problem problem,
                                                                  const ClassificationAnswers& expected,
                                                                  const std::vector<std::vector<float>>& outputs);

// The same of held-out examples in a training; of one label the mean loss comes first.
ValidationResult classification_validation(models::Problem problem, const ClassificationAnswers& expected,
                                           const std::vector<std::vector<float>>& outputs);

}  // namespace heed::tasks
