// What classification heads of all families have in common: labels and the meaning of logits in config.json
// (transformers' PretrainedConfig), and the loss that follows.
#pragma once

#include "heed/io/config_reader.h"
#include "heed/models/interface.h"

namespace heed::models {

struct Classification {
  Problem problem = Problem::kSingleLabel;
  std::vector<std::string> labels;  // by class, at least one
};

// From id2label, num_labels and problem_type; LABEL_0, LABEL_1, … if no names are given, `usual` of them without a
// number. One label alone is a regression, several are a choice, unless problem_type says otherwise. Throws
// ConfigError.
Classification read_classification(const io::ConfigReader& config, const std::string& file, int usual = 2);

// The loss of logits [rows, labels], summed over rows (several labels, regression: over all numbers) and divided as
// options say. UsageError if the targets are not of the problem's kind.
HeadLoss classification_loss(Problem problem, const Tensor& logits, const Targets& targets, const LossOptions& options);

}  // namespace heed::models
