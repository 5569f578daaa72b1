// Training of a causal language model on running text (causal_text.h): every token is predicted from those before it in
// its row, and held-out text tells by the loss how good the model is.
//
// Reading the text, training the tokenizer and encoding happen in the constructor.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "heed/tasks/causal_text.h"
#include "heed/tasks/started_training.h"

namespace heed::tasks {

struct LanguageModelTrainingOptions {
  ModelStart start;
  std::vector<std::filesystem::path> train, valid;
  double valid_fraction = 0;  // of the training text, its end, if there is no `valid`
  data::DocumentOptions documents;
  bool packed = true;           // documents one behind the other; else each for itself
  bool end_token = true;        // between documents, or behind each
  std::filesystem::path cache;  // folder for the tokens; empty: memory

  uint64_t seed = 1;   // of cutting and shuffling
  uint32_t block = 0;  // tokens of a block; 0: the usual number, or the model's positions if they are fewer
  uint32_t usual_block = 256;
  uint32_t batch_size = 32;  // rows
};

class LanguageModelTraining final : public StartedTraining {
 public:
  // Throws UsageError for options that contradict each other, and what reading, tokenizer and model throw.
  explicit LanguageModelTraining(LanguageModelTrainingOptions options);

  BatchLoss loss(const TrainingBatch& batch, const nn::Pass& pass, double divisor) const override;
  bool has_validation() const override { return valid_.has_value(); }
  std::optional<ValidationResult> validate(const StopFlag& stop) override;
  Json identity() const override;

  const models::CausalModel& model() const { return *model_; }
  const text::Tokenizer& tokenizer() const { return *started_.tokenizer; }

 private:
  void start(const data::TextSource& text);
  std::unique_ptr<TrainingBatch> make_batch(uint64_t epoch, std::span<const uint32_t> rows) const;

  const LanguageModelTrainingOptions options_;
  std::shared_ptr<models::CausalModel> model_;
  uint32_t block_ = 0;
  std::optional<CausalText> train_, valid_;
};

}  // namespace heed::tasks
