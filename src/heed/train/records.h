// What a training writes down as it goes on: records in metrics.jsonl and event files for TensorBoard. Neither ends a
// training where it cannot be written; the first failure is an error in the log.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "heed/base/tensorboard.h"
#include "heed/tasks/training_task.h"
#include "heed/train/metrics_log.h"

namespace heed::train {

// Of the steps since the record before.
struct StepRecord {
  int64_t step = 0;
  uint64_t epoch = 0;
  double loss = 0;  // per target
  double learning_rate = 0;
  double gradient_norm = 0;  // of the last step
  double targets_per_second = 0;
  int64_t skipped = 0;  // of the whole training
  double seconds = 0;   // of the whole training
  int64_t targets = 0;  // of the whole training
};

class Records {
 public:
  // `last_step`: that the training goes on from; 0 if it begins.
  Records(const std::filesystem::path& metrics, const std::filesystem::path& tensorboard, int64_t last_step);

  void step(const StepRecord& record);
  void validation(int64_t step, const std::string& weights, const tasks::ValidationResult& result, bool best,
                  double seconds);

 private:
  void scalars(int64_t step, const std::vector<Scalar>& values);

  MetricsLog metrics_;
  std::optional<TensorBoardWriter> events_;  // nothing once it failed
};

}  // namespace heed::train
