// Training of a causal language model on running text: the text becomes one stream of tokens, each epoch cuts it into
// blocks anew, every token is predicted from those before it in its block, and held-out text tells by the loss how good
// the model is.
//
// Reading the text, training the tokenizer and encoding happen in the constructor.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "heed/data/token_blocks.h"
#include "heed/data/token_text.h"
#include "heed/tasks/example_batches.h"
#include "heed/tasks/model_start.h"

namespace heed::tasks {

struct LanguageModelTrainingOptions {
  ModelStart start;
  std::vector<std::filesystem::path> train, valid;
  double valid_fraction = 0;  // of the training text, its end, if there is no `valid`
  data::DocumentOptions documents;
  bool end_token = true;        // between documents
  std::filesystem::path cache;  // folder for the tokens; empty: memory

  uint64_t seed = 1;   // of cutting and shuffling
  uint32_t block = 0;  // tokens of a block; 0: the usual number, or the model's positions if they are fewer
  uint32_t usual_block = 256;
  uint32_t batch_size = 32;  // blocks
};

class LanguageModelTraining final : public TrainingTask {
 public:
  // Throws UsageError for options that contradict each other, and what reading, tokenizer and model throw.
  explicit LanguageModelTraining(LanguageModelTrainingOptions options);

  nn::ParameterStore& parameters() override { return model_->parameters(); }
  TrainingBatches& batches() const override { return *batches_; }
  BatchLoss loss(const TrainingBatch& batch, const nn::Pass& pass, double divisor) const override;
  bool has_validation() const override { return valid_.size() > 0; }
  std::optional<ValidationResult> validate(const StopFlag& stop) override;
  io::ModelContent content() override { return started_.content(); }
  Json identity() const override;

  const models::CausalModel& model() const { return *model_; }
  const text::Tokenizer& tokenizer() const { return *started_.tokenizer; }
  std::string report() const override { return report_; }

 private:
  void start(const data::TextSource& text);
  std::unique_ptr<TrainingBatch> make_batch(uint64_t epoch, std::span<const uint32_t> blocks) const;

  const LanguageModelTrainingOptions options_;
  StartedModel started_;
  std::shared_ptr<models::CausalModel> model_;
  data::TokenStream train_, valid_;
  uint32_t block_ = 0;
  std::optional<data::TokenBlocks> blocks_;
  std::unique_ptr<ExampleBatches> batches_;
  std::string report_;
};

}  // namespace heed::tasks
