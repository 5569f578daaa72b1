// Training of a tagger of words, and its evaluation on tagged words.
//
// A word's tag is that of its first token; its further tokens give no loss. An example is a sentence, or, with context,
// a document: its sentences one behind the other, the token that ends a text between them, so that a name is judged
// beside its other mentions. What is too long for the model is cut into parts for training, elsewhere in each epoch;
// in validation and evaluation it is read through windows that share half of their tokens.
#pragma once

#include "heed/metrics/entities.h"
#include "heed/tasks/encoder_training.h"
#include "heed/tasks/tagging.h"
#include "heed/tasks/tagging_examples.h"
#include "heed/tasks/word_dropout.h"

namespace heed::tasks {

struct TaggingTrainingOptions : EncoderTrainingOptions {
  std::filesystem::path train, valid;
  double valid_fraction = 0;  // of the training examples, the last ones, if there is no `valid`
  TagContext context = TagContext::kSentence;
  uint64_t max_examples = 0;  // of training, sentences; 0: all
  double word_dropout = 0;    // share of the words that are hidden in each epoch
};

class TaggingTraining final : public EncoderTraining {
 public:
  explicit TaggingTraining(TaggingTrainingOptions options);

  bool has_validation() const override { return !valid_.empty(); }
  std::optional<ValidationResult> validate(const StopFlag& stop) override;
  Json identity() const override;

 private:
  // A part of an example, as the batches count them.
  struct Part {
    uint32_t example = 0, number = 0, of = 1;
  };

  std::unique_ptr<EncoderBatch> make_batch(uint64_t epoch, std::span<const uint32_t> parts) const override;
  void append(uint64_t epoch, const Part& part, EncoderBatch& batch) const;
  void make_parts();

  const TaggingTrainingOptions options_;
  data::TaggedText train_text_, valid_text_;
  std::vector<TaggingExample> train_, valid_;
  std::vector<Part> parts_;
  WordDropout word_dropout_;
};

// What a tagger makes of examples.
struct TaggingResult {
  double loss = 0;             // mean over the words whose tag the model has
  metrics::TagSequences tags;  // of each sentence
  metrics::EntityReport report;
};
// At most `most` tokens are computed together in a row.
TaggingResult evaluate_tagger(const Tagger& tagger, const data::TaggedText& text,
                              const std::vector<TaggingExample>& examples, size_t most, size_t batch_size);

}  // namespace heed::tasks
