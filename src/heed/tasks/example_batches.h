// Batches of examples that all lie in memory, over all epochs: what most training tasks give the training loop.
//
// Batch k of an epoch is a pure function of the options' seed, the epoch and k (see data/batches.h): examples of like
// length stand together, shuffled anew in each epoch. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "heed/data/batches.h"
#include "heed/tasks/training_task.h"

namespace heed::tasks {

class ExampleBatches final : public TrainingBatches {
 public:
  // Makes the batch of these examples, as they are in this epoch (augmented, masked, …): a pure function, called on a
  // thread of its own.
  using Make = std::function<std::unique_ptr<TrainingBatch>(uint64_t epoch, std::span<const uint32_t> examples)>;

  // `lengths`: tokens of each example; longer ones count as 65,535. `batch_size` examples make a batch; if `tokens` is
  // not 0, a batch has at most so many tokens instead; either is of this process's share (data/share.h). Throws
  // UsageError for no examples, or for neither limit.
  ExampleBatches(std::span<const uint32_t> lengths, uint32_t batch_size, uint32_t tokens, uint64_t seed, Make make);

  uint64_t count(uint64_t epoch) const override { return plans_->plan(epoch)->batches(); }
  std::unique_ptr<BatchStream> stream(data::Cursor start, size_t ahead) const override;
  const char* option() const override { return by_tokens_ ? "batch-tokens" : "batch-size"; }
  uint32_t size() const override { return plans_->max_tokens(); }
  void resize(uint32_t size) override { plans_->set_max_tokens(size); }
  void keep_order() override { plans_->keep_order(); }
  std::unique_ptr<TrainingBatch> heaviest() const override;

 private:
  std::unique_ptr<TrainingBatch> batch(uint64_t epoch, uint64_t k) const;

  bool by_tokens_;
  std::vector<uint16_t> lengths_, counts_;  // tokens, and what the limit counts: tokens, or 1
  std::optional<data::BatchPlans> plans_;
  Make make_;
};

// For messages: "examples 17 4 211 and 29 more", counted from 1; `places` gives the name of one if it is not its
// number.
std::string describe_examples(std::span<const uint32_t> examples,
                              const std::function<std::string(uint32_t)>& place = {});

}  // namespace heed::tasks
