// Training of a sequence-to-sequence model to restore corrupted text: T5's span corruption, BART's text infilling and
// sentence permutation. What it gives is what translation and summarisation can begin with.
#pragma once

#include <memory>
#include <optional>

#include "heed/tasks/example_batches.h"
#include "heed/tasks/model_start.h"
#include "heed/tasks/noisy_text.h"

namespace heed::tasks {

struct DenoisingTrainingOptions {
  ModelStart start;
  std::vector<std::filesystem::path> train, valid;
  double valid_fraction = 0;  // of the training text, its end, if there is no `valid`
  data::DocumentOptions documents;
  std::optional<Denoising> kind;  // not given: spans for T5 and where the tokenizer has sentinels, else infilling
  NoisyTextOptions noise;         // kind, fingerprint and seed are set here; block 0: as `usual_block` says

  uint64_t seed = 1;
  uint32_t usual_block = 256;  // or what the model's positions have room for
  uint32_t batch_size = 32;    // examples
  float label_smoothing = 0;
};

class DenoisingTraining final : public TrainingTask {
 public:
  explicit DenoisingTraining(DenoisingTrainingOptions options);

  nn::ParameterStore& parameters() override { return model_->parameters(); }
  TrainingBatches& batches() const override { return *batches_; }
  BatchLoss loss(const TrainingBatch& batch, const nn::Pass& pass, double divisor) const override;
  bool has_validation() const override { return valid_.has_value(); }
  std::optional<ValidationResult> validate(const StopFlag& stop) override;
  io::ModelContent content() override { return started_.content(); }
  Json identity() const override;

  std::string report() const override { return report_; }

 private:
  void start(const data::TextSource& text);

  DenoisingTrainingOptions options_;
  StartedModel started_;
  std::shared_ptr<models::Seq2SeqModel> model_;
  std::optional<NoisyText> train_, valid_;
  std::unique_ptr<ExampleBatches> batches_;
  std::string report_;
};

// The kind of corruption that suits a tokenizer.
Denoising denoising_for(const text::Tokenizer& tokenizer);
// The tokens of text of an example: `wanted` or, if that is 0, `usual` or what a model with so many positions has room
// for. Throws UsageError if there is no room.
uint32_t denoising_block(const text::Tokenizer& tokenizer, int positions, uint32_t wanted, uint32_t usual);

}  // namespace heed::tasks
