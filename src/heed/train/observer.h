// What a training tells whoever watches it. The loop itself prints nothing; warnings go to base/log.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "heed/tasks/training_task.h"

namespace heed::train {

struct StartReport {
  int64_t step = 0;                // 0, or the step that is gone on from
  bool nothing_to_resume = false;  // resuming was asked for, but the training begins anew
  int64_t parameters = 0;
  uint64_t batches = 0;  // of the present epoch
};

struct StepReport {
  int64_t step = 0;     // from 1
  uint64_t epoch = 0;   // of its last batch, from 0
  double progress = 0;  // of all work, by the limits that are set, in [0, 1]; 0 where there is none
  double loss = 0;      // per target
  double learning_rate = 0;
  double gradient_norm = 0;  // before clipping
  int64_t targets = 0;
  double seconds = 0;    // of this step
  bool skipped = false;  // not finite: nothing was changed
};

struct ValidationReport {
  int64_t step = 0;
  std::string weights;  // "current", "ema" or "average"
  tasks::ValidationResult result;
  bool best = false;  // better than all before: it is now the folder's model
  double seconds = 0;
};

enum class EndReason : uint8_t { kMaxSteps, kMaxEpochs, kMaxMinutes, kPatience, kStopped };

struct TrainSummary {
  EndReason reason = EndReason::kMaxSteps;
  int64_t steps = 0, skipped = 0;
  double seconds = 0;                    // of all runs of this training
  double step_seconds = 0;               // of that, in steps
  int64_t targets = 0;                   // trained on in all runs
  std::optional<ValidationReport> best;  // what the folder's model scored, if it was validated
  std::filesystem::path model;
  bool saved = true;  // false: the last checkpoint could not be written
};

class TrainObserver {
 public:
  virtual ~TrainObserver() = default;
  virtual void started(const StartReport& /*report*/) {}
  virtual void stepped(const StepReport& /*report*/) {}
  virtual void validated(const ValidationReport& /*report*/) {}
  virtual void saved(int64_t /*step*/, const std::filesystem::path& /*checkpoint*/) {}
};

}  // namespace heed::train
