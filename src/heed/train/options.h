// How to train, whatever the task: plain data with the names of the program's options.
#pragma once

#include <cstdint>
#include <filesystem>

#include "heed/base/json.h"
#include "heed/core/backend.h"
#include "heed/core/device.h"
#include "heed/dist/communicator.h"
#include "heed/optim/muon.h"
#include "heed/optim/schedule.h"

namespace heed::train {

struct TrainOptions {
  std::filesystem::path output;            // the model's folder; checkpoints/, snapshots/ and metrics.jsonl lie in it
  dist::Communicator* together = nullptr;  // the processes that train together; nullptr: this one alone
  bool resume = false;                     // go on from the newest checkpoint in it, if there is one

  // The end, whichever comes first; 0: no such limit. At least one end is needed: these, patience, or the stop flag.
  int64_t max_steps = 0;
  uint64_t max_epochs = 0;
  double max_minutes = 0;  // of all runs of this training together
  int patience = 0;        // validations in a row without a better score

  uint64_t seed = 1;          // of dropout
  Device device;              // where the model is trained
  bool shuffle = true;        // false: the task's batches keep the order of the data (TrainingBatches::keep_order)
  DType dtype = DType::kF32;  // what the factors of matrix products are rounded to: f32 (not at all) or bf16
  int accumulate = 1;         // batches per step
  // Where processes train together: each has the moments of its share of the parameters alone, and updates that.
  bool shard_optimizer = false;
  optim::Schedule schedule;
  AdamParams adam;    // betas, epsilon, weight decay and its kind
  bool muon = false;  // Muon's steps for the matrices within layers, Adam's for the rest
  float momentum = optim::kMuonMomentum;
  bool decay_all = false;  // weight decay of biases and norms, too, not of matrices alone
  bool recompute = false;  // layers are computed again in the backward: less memory, a third more work
  double clip_norm = 0;    // of the gradient; 0: not clipped
  double ema = 0;          // decay of an exponential moving average that is validated and kept instead; 0: none

  // In steps; 0: never (but at the end).
  int64_t valid_every = 250, save_every = 250, snapshot_every = 100;
  int64_t log_every = 10;            // steps per record of metrics.jsonl
  int average = 10;                  // snapshots of the parameters whose mean is tried at the end; 0: none
  int keep_last = 2, keep_best = 1;  // checkpoints
  int max_bad_steps = 25;            // steps in a row whose loss or gradient is not finite

  // Throws UsageError naming the option that is out of range or contradicts another.
  void validate() const;
  const char* optimizer_name() const;  // "adam", "adamw" or "muon"
  // What must be the same when a training is resumed, by option.
  Json identity() const;
};

}  // namespace heed::train
