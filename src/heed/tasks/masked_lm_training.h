// Training of a masked language model on running text, or on a sentence a line: tokens are hidden, anew in each epoch,
// and predicted from all that is around them. What it gives is what other tasks of text encoders begin with.
#pragma once

#include <optional>

#include "heed/tasks/encoder_training.h"
#include "heed/tasks/masked_text.h"

namespace heed::tasks {

struct MaskedLmTrainingOptions : EncoderTrainingOptions {
  std::vector<std::filesystem::path> train, valid;
  double valid_fraction = 0;  // of the training text, its end, if there is no `valid`
  data::DocumentOptions documents;
  bool packed = false;  // documents one behind the other in examples of max_length, not each for itself
  double mask_probability = 0.15;
  bool whole_words = false;
  std::filesystem::path cache;  // folder for the tokens; empty: memory
};

class MaskedLmTraining final : public EncoderTraining {
 public:
  explicit MaskedLmTraining(MaskedLmTrainingOptions options);

  bool has_validation() const override { return valid_.has_value(); }
  std::optional<ValidationResult> validate(const StopFlag& stop) override;
  Json identity() const override;

 private:
  std::unique_ptr<EncoderBatch> make_batch(uint64_t epoch, std::span<const uint32_t> examples) const override;

  const MaskedLmTrainingOptions options_;
  std::optional<MaskedText> train_, valid_;
};

}  // namespace heed::tasks
