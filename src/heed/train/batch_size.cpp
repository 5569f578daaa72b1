#include "heed/train/batch_size.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "heed/base/error.h"
#include "heed/tensor/backends.h"
#include "heed/train/stepper.h"

namespace heed::train {
namespace {

// The most memory that the process has had since reset_peak(), in bytes.
uint64_t peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(line.find(':') + 1)) * 1024;
  fail<IoError>("/proc/self/status does not say how much memory the process has (VmHWM)");
}

void reset_peak() {
  std::ofstream refs("/proc/self/clear_refs");
  refs << "5" << std::flush;  // proc(5): sets the peak to what is in use now
  check<IoError>(refs.good(), "/proc/self/clear_refs cannot be written, so that no step's memory can be measured");
}

// Takes steps on batches of any size, and undoes them.
class Trials {
 public:
  Trials(tasks::TrainingTask& task, const TrainOptions& options)
      : task_(task), options_(alone(options)), before_(task.parameters().values().clone()), stepper_(task, options_) {}
  Trials(const Trials&) = delete;
  Trials& operator=(const Trials&) = delete;
  ~Trials() {
    const Tensor& values = task_.parameters().values();
    backend(values.device()).copy(before_.view(), values.view());
    task_.parameters().values_changed();
    task_.parameters().clear_gradients();
    backend(values.device()).release_unused();
  }

  struct Result {
    uint64_t peak = 0;
    int64_t targets = 0;
  };
  Result take(uint32_t size) {
    task_.batches().resize(size);
    backend(before_.device()).release_unused();
    reset_peak();
    std::vector<tasks::StreamedBatch> batches(1);
    batches.front().batch = task_.batches().heaviest();
    const StepOutcome outcome = stepper_.step(1, batches);
    return {peak_memory(), outcome.targets};
  }

 private:
  static TrainOptions alone(TrainOptions options) {
    options.together = nullptr;
    return options;
  }

  tasks::TrainingTask& task_;
  const TrainOptions options_;
  const Tensor before_;
  Stepper stepper_;
};

}  // namespace

FittedBatch fit_batch_size(tasks::TrainingTask& task, const TrainOptions& options, uint64_t limit) {
  constexpr uint32_t kMost = 1u << 20;
  // What steps differ by: their batches have other lengths, so that the allocator keeps blocks of other sizes.
  const auto room = static_cast<uint64_t>(0.9 * static_cast<double>(limit));
  FittedBatch fitted;
  Trials trials(task, options);
  Trials::Result last;
  uint32_t too_much = kMost + 1;
  for (uint32_t size = std::min<uint32_t>(task.batches().size(), 8); size > fitted.size && size < too_much;) {
    const Trials::Result result = trials.take(size);
    if (result.peak > room) {
      too_much = size;
      size = fitted.size + (size - fitted.size) / 2;
      continue;
    }
    fitted.whole_data = task.batches().count(0) == 1;
    const double growth = fitted.size == 0 || result.peak <= last.peak
                              ? 0
                              : static_cast<double>(result.peak - last.peak) / (size - fitted.size);
    fitted.size = size;
    fitted.peak = result.peak;
    last = result;
    if (fitted.whole_data) break;
    // Memory grows in proportion to the batch; far beyond what was tried nothing is taken for sure.
    const double more = growth > 0 ? static_cast<double>(room - result.peak) / growth : kMost;
    size += static_cast<uint32_t>(std::min({more, 3.0 * size, 0.5 * (too_much - size) + 0.5}));
  }
  check<MemoryError>(fitted.size > 0, "--memory-limit: a training step on the smallest batch takes more than {} MiB",
                     limit >> 20);
  task.batches().resize(fitted.size);
  return fitted;
}

}  // namespace heed::train
