// What a training wrote down (metrics.jsonl, see docs/training.md), read back. Pure functions.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace heed::inspect {

// Of the steps since the record before. Numbers that are not finite stand in the file as null and are NaN here.
struct LoggedStep {
  int64_t step = 0;
  uint64_t epoch = 0;
  double loss = 0, learning_rate = 0, targets_per_second = 0;
  double targets = 0;  // trained on so far; NaN: the file does not say
  double seconds = 0;  // so far, of all runs of the training
};

struct LoggedValidation {
  int64_t step = 0;
  bool averaged = false;  // of the mean of snapshots, tried at the end
  bool best = false;      // better than all before
  std::vector<std::pair<std::string, double>> metrics;
  double seconds = 0;
};

struct TrainingLog {
  std::string name;  // of the training's folder
  std::filesystem::path file;
  std::vector<LoggedStep> steps;
  std::vector<LoggedValidation> validations;

  // The validation that the model was chosen by, or nullptr.
  const LoggedValidation* best() const;
};

// `run` is a training's output folder or its metrics.jsonl. A last line without its end is of a training that was
// interrupted, or goes on, and is left out. Throws DataError for a run that is none, and with the line for what is no
// record.
TrainingLog read_training_log(const std::filesystem::path& run);

}  // namespace heed::inspect
