// One training step: the gradient of one or more batches, its norm, clipping, and the optimizer's update.
//
// Where several processes train together, each has its share of every batch: losses are divided by the targets of all,
// and gradients summed, so that every process takes the same step.
//
// Batches that are accumulated weigh by their targets: every loss is divided by the targets of all of them, so that the
// step equals that of one batch holding all their examples. A step whose loss or gradient is not finite changes
// nothing.
#pragma once

#include <optional>
#include <vector>

#include "heed/optim/optimizer.h"
#include "heed/tasks/training_task.h"
#include "heed/train/gradient_sum.h"
#include "heed/train/options.h"

namespace heed::train {

struct StepOutcome {
  double loss_sum = 0;  // over the targets
  int64_t targets = 0;
  double gradient_norm = 0;  // before clipping
  bool finite = true;        // false: nothing was changed
};

class Stepper {
 public:
  Stepper(tasks::TrainingTask& task, const TrainOptions& options);

  // Step `step` >= 1 over these batches.
  StepOutcome step(int64_t step, const std::vector<tasks::StreamedBatch>& batches);
  double rate(int64_t step) const { return options_.schedule.rate(step); }

  // Where processes train together: all take the parameters of the first one.
  void take_first_parameters();
  optim::Optimizer& optimizer() { return optimizer_; }
  // Of all parameters. Where each process has its share of them, all must call this, and the first one gets them.
  struct Moments {
    Tensor first, second;
  };
  Moments moments();
  // The exponential moving average of the parameters; undefined without options.ema.
  const Tensor& ema() const { return ema_; }

 private:
  // The gradient of all batches, and the loss of each of them.
  std::vector<ops::DeviceSum> accumulate(int64_t step, const std::vector<tasks::StreamedBatch>& batches,
                                         StepOutcome& outcome);
  ops::DeviceSum backward_of(const tasks::StreamedBatch& batch, const nn::Pass& pass, double divisor, bool last);
  void exchange_shares();
  Tensor whole_moment(const Tensor& mine);
  void update_ema();

  tasks::TrainingTask& task_;
  const TrainOptions& options_;
  const std::vector<optim::Share> shares_;  // of all processes; none: each updates everything
  optim::Optimizer optimizer_;
  // Nothing: this process trains alone.
  std::optional<Exchange> exchange_;
  std::optional<GradientSum> sum_;
  Tensor ema_;
};

// The key of a step's dropout: another one for each step, a pure function of both.
uint64_t dropout_key(uint64_t seed, int64_t step);

}  // namespace heed::train
