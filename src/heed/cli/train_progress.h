// A training on the console: the live line (or a line every few seconds on a pipe), a line for each validation, and the
// summary. Used by the training's thread.
#pragma once

#include <chrono>
#include <deque>

#include "heed/cli/command.h"
#include "heed/train/observer.h"
#include "heed/train/options.h"

namespace heed::cli {

class TrainProgress final : public train::TrainObserver {
 public:
  // `unit`: what the task's targets are.
  TrainProgress(Command& command, const train::TrainOptions& options, std::string unit)
      : progress_(command.progress()),
        unit_(std::move(unit)),
        max_steps_(options.max_steps),
        dtype_(options.dtype),
        device_(options.device) {}

  void started(const train::StartReport& report) override;
  void stepped(const train::StepReport& report) override;
  void validated(const train::ValidationReport& report) override;
  void finish(const train::TrainSummary& summary);

 private:
  std::string fields(const train::StepReport& report) const;

  Progress progress_;
  const std::string unit_;
  const int64_t max_steps_;
  const DType dtype_;
  const Device device_;
  std::deque<train::StepReport> recent_;  // whose means are shown
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  double progress_at_begin_ = -1;
};

Json summary_json(const train::TrainSummary& summary);

}  // namespace heed::cli
