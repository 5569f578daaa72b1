// The largest batch that a memory limit allows.
#pragma once

#include <cstdint>

#include "heed/tasks/training_task.h"
#include "heed/train/options.h"

namespace heed::train {

struct FittedBatch {
  uint32_t size = 0;        // the task's batches from now on: TrainingBatches::size()
  uint64_t peak = 0;        // bytes of the process in a step on the heaviest of them
  bool whole_data = false;  // an epoch is one batch: larger ones would be the same
};

// Resizes the task's batches to the largest with which the process stays below `limit` bytes in a training step, found
// by taking steps of this process alone on the heaviest batches, small ones first. The parameters are afterwards what
// they were. What other processes have, and validation, do not count. Throws MemoryError if even one example (or token)
// is too much.
FittedBatch fit_batch_size(tasks::TrainingTask& task, const TrainOptions& options, uint64_t limit);

}  // namespace heed::train
