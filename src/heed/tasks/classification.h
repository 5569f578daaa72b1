// Classification of texts and pairs of texts with a trained model.
#pragma once

#include "heed/tasks/encoder_texts.h"

namespace heed::tasks {

// What is made of a classifier's logits.
enum class Scores : uint8_t { kSoftmax, kSigmoid, kNone };

// What makes the outputs that are scored of a head's logits: probabilities, or the numbers of a regression.
Scores scores_of(models::Problem problem);

struct TextClassifier : EncoderTexts {
  static TextClassifier load(const std::filesystem::path& folder,
                             const models::LoadOptions& options = models::for_inference());

  // As transformers' pipeline has it: the logits themselves for a regression that says so, sigmoid for several labels
  // or for one alone, else softmax.
  Scores default_scores() const;
  // For each text a score for each label.
  std::vector<std::vector<float>> scores(const std::vector<text::TokenizedText>& texts, Scores kind,
                                         size_t batch_size) const;
};

}  // namespace heed::tasks
