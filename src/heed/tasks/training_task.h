// What the one training loop (train/trainer.h) sees of a task: where its batches come from, their loss, how good the
// model is on held-out data, and what else belongs in the model's folder. The loop knows no task, and models know no
// loop.
//
// A task holds the model. Its members are called by the loop's thread alone; a BatchStream may prepare ahead on a
// thread of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "heed/base/json.h"
#include "heed/data/prefetch.h"
#include "heed/io/model_folder.h"
#include "heed/nn/layers.h"
#include "heed/nn/parameters.h"
#include "heed/ops/device_sum.h"

namespace heed::tasks {

// One batch, made by the task that will compute its loss.
class TrainingBatch {
 public:
  virtual ~TrainingBatch() = default;
  // What the loss is averaged over: target tokens, or examples. Weighs batches that are accumulated into one step.
  virtual int64_t targets() const = 0;
  // Its examples, for the message about a training that diverged: "lines 17, 4, 211, … (310)".
  virtual std::string describe() const = 0;
};

struct StreamedBatch {
  data::Cursor cursor;
  bool last_in_epoch = false;
  std::unique_ptr<TrainingBatch> batch;
};

// The batches from a place on, epoch after epoch without end. Batch k of an epoch is a pure function of the task's
// seed, the epoch and k, so how far ahead they are prepared changes nothing.
class BatchStream {
 public:
  virtual ~BatchStream() = default;
  virtual StreamedBatch next() = 0;
};

// All batches of a training, epoch after epoch.
class TrainingBatches {
 public:
  virtual ~TrainingBatches() = default;
  // How many batches the epoch has.
  virtual uint64_t count(uint64_t epoch) const = 0;
  // Starts preparing the batches from `start` on, about `ahead` of them. This object must outlive the stream.
  virtual std::unique_ptr<BatchStream> stream(data::Cursor start, size_t ahead) const = 0;

  // How large a batch of all processes together is, in what the program's option `option()` counts.
  virtual const char* option() const = 0;  // "batch-size", "batch-tokens"
  virtual uint32_t size() const = 0;
  // Other batches from now on; before any stream is open.
  virtual void resize(uint32_t size) = 0;
  // The same, of examples in the order of the data, alike in every epoch.
  virtual void keep_order() = 0;
  // The batch of the first epoch that has the most tokens.
  virtual std::unique_ptr<TrainingBatch> heaviest() const = 0;
};

struct BatchLoss {
  Tensor loss;              // sum of the losses / divisor, one element, differentiable
  ops::DeviceSum loss_sum;  // over the targets, as it is trained on
};

struct ValidationResult {
  std::vector<std::pair<std::string, double>> metrics;  // by name, in the order to be shown
  double score = 0;                                     // what models are chosen by: higher is better
};

// True once the user wants to stop.
using StopFlag = std::function<bool()>;

class TrainingTask {
 public:
  virtual ~TrainingTask() = default;

  virtual nn::ParameterStore& parameters() = 0;
  // Of the training data, for the line that is printed at the start: "6,920 examples, 132,000 tokens, 3 cut".
  virtual std::string report() const = 0;
  virtual TrainingBatches& batches() const = 0;
  // The loss of one of them.
  virtual BatchLoss loss(const TrainingBatch& batch, const nn::Pass& pass, double divisor) const = 0;

  virtual bool has_validation() const = 0;
  // Of the parameters as they are. Nothing if `stop` said so meanwhile. Called only if has_validation().
  virtual std::optional<ValidationResult> validate(const StopFlag& stop) = 0;

  // The model's folder, with the parameters as they are; the views point into parameters().
  virtual io::ModelContent content() = 0;
  // What must be the same when a training is resumed: the name of the program's option, and its value.
  virtual Json identity() const = 0;
};

}  // namespace heed::tasks
