// What trainings of text encoders share: the model with its tokenizer, batches of examples in memory, the loss. A task
// derives from it and says how its examples read, what the head shall give for them, and how good the model is.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "heed/tasks/encoder_texts.h"
#include "heed/tasks/started_training.h"

namespace heed::tasks {

// What all of them are asked for.
struct EncoderTrainingOptions {
  ModelStart start;
  uint64_t seed = 1;         // of shuffling
  int threads = 1;           // of encoding and validating
  uint32_t batch_size = 32;  // examples
  uint32_t max_length = 0;   // tokens of an example; 0: as many as the model has positions
  float label_smoothing = 0;
};

// Texts and what the head shall give for them.
struct EncoderBatch final : TrainingBatch {
  models::TextBatch texts;
  models::Targets wanted;
  int64_t count = 0;  // targets that give a loss
  std::string place;

  int64_t targets() const override { return count; }
  std::string describe() const override { return place; }
};

class EncoderTraining : public StartedTraining {
 public:
  BatchLoss loss(const TrainingBatch& batch, const nn::Pass& pass, double divisor) const override;
  Json identity() const override;

  const models::EncoderModel& model() const { return *model_; }

 protected:
  explicit EncoderTraining(EncoderTrainingOptions options) : options_(std::move(options)) {}

  // To be called by the task's constructor, in this order: the model, then (if there are any) examples of training.
  void start(models::NewModel wanted, const TextPieces& text);
  // `lengths`: tokens of each example.
  void set_examples(std::span<const uint32_t> lengths, std::string report);
  // The batch of these examples in this epoch; a pure function.
  virtual std::unique_ptr<EncoderBatch> make_batch(uint64_t epoch, std::span<const uint32_t> examples) const = 0;

  // The tokens that an example may have.
  size_t max_length() const;
  // The model as the programs that use it see it.
  EncoderTexts trained() const { return {model_, started_.tokenizer}; }
  const text::Tokenizer& tokenizer() const { return *started_.tokenizer; }

 private:
  const EncoderTrainingOptions options_;
  std::shared_ptr<models::EncoderModel> model_;
};

}  // namespace heed::tasks
