// Classifiers that teach another one (knowledge distillation, Hinton et al. 2015): what they say of the texts of a
// training is taken once, at its start, and is part of what the new model shall give.
//
// Each teacher reads the texts by its own tokenizer, so it may be of any family and size.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "heed/tasks/classification_examples.h"

namespace heed::tasks {

struct TeacherOptions {
  std::vector<std::filesystem::path> folders;
  std::vector<std::filesystem::path> unlabelled;  // files of texts that the teachers alone label
  std::optional<double> weight;                   // of the teachers in the loss, the labels having the rest
  std::optional<float> temperature;               // that softens both probabilities, of one label
  Device device;                                  // that they run on

  double share() const { return weight.value_or(0.5); }
  float softening() const { return temperature.value_or(1); }
};

// UsageError for options that contradict each other, or say something of teachers that there are not.
void check_teachers(const TeacherOptions& options, models::Problem problem);

// The texts of `options.unlabelled`, behind those of `examples`, whose columns they share.
void append_unlabelled(const TeacherOptions& options, const ClassificationColumns& columns,
                       ClassificationExamples& examples);

// What the teachers say of each example, the mean over them: the probability of each label, of one label at the
// temperature, or a regression's numbers: [examples * labels], in the order of `labels`. Tells the log how far it is.
// Throws what loaders throw, ConfigError if a teacher has another problem or other labels, and DataError for a text
// without tokens.
std::vector<float> teacher_outputs(const TeacherOptions& options, const ClassificationExamples& examples,
                                   models::Problem problem, const std::vector<std::string>& labels);

}  // namespace heed::tasks
