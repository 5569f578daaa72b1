// Training of a classifier of texts, or of pairs of texts: one label of several, several labels, or numbers.
#pragma once

#include "heed/tasks/classification_examples.h"
#include "heed/tasks/encoder_training.h"
#include "heed/tasks/teachers.h"
#include "heed/tasks/word_dropout.h"

namespace heed::tasks {

struct ClassificationTrainingOptions : EncoderTrainingOptions {
  std::filesystem::path train, valid;
  double valid_fraction = 0;  // of the training examples, the last ones, if there is no `valid`
  ClassificationColumns columns;
  std::optional<models::Problem> problem;  // guessed from the labels if not given
  uint64_t max_examples = 0;               // of training; 0: all
  bool class_weights = false;  // rare labels count more, not in what teachers say: each as much as any other in all
  double word_dropout = 0;     // share of the words that are hidden in each epoch
  TeacherOptions teachers;
};

class ClassificationTraining final : public EncoderTraining {
 public:
  explicit ClassificationTraining(ClassificationTrainingOptions options);

  // Of several labels and of numbers, an example's loss is the mean over them.
  BatchLoss loss(const TrainingBatch& batch, const nn::Pass& pass, double divisor) const override;
  bool has_validation() const override { return !valid_.tokens.empty(); }
  std::optional<ValidationResult> validate(const StopFlag& stop) override;
  Json identity() const override;

 private:
  struct Examples {
    std::vector<text::TokenizedText> tokens;
    ClassificationAnswers answers;
    std::vector<std::string> places;
  };

  void check_shares(const ClassificationExamples& train) const;
  Examples encode(const ClassificationExamples& texts, uint64_t& cut) const;
  std::unique_ptr<EncoderBatch> make_batch(uint64_t epoch, std::span<const uint32_t> examples) const override;
  void learn_from_teachers(const ClassificationExamples& texts);
  models::Targets targets_of(std::span<const uint32_t> examples) const;

  const ClassificationTrainingOptions options_;
  Examples train_, valid_;
  std::vector<float> weights_;  // by class; empty: all 1
  float label_weight_ = 1;      // of `classes` in the loss; train_.answers.values, if there are any, have the rest
  WordDropout word_dropout_;
};

}  // namespace heed::tasks
