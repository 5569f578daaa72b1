// A vector for each text, from any text encoder.
#pragma once

#include "heed/tasks/encoder_texts.h"

namespace heed::tasks {

// The family's own pooler, the mean of a text's hidden states, or the one of its first token.
enum class Pooling : uint8_t { kPooler, kMean, kFirst };

struct TextEmbedder : EncoderTexts {
  static TextEmbedder load(const std::filesystem::path& folder,
                           const models::LoadOptions& options = models::for_inference());

  // A vector for each text; `normalize`: of length 1. UsageError if the model has no pooler and it is asked for.
  std::vector<std::vector<float>> embed(const std::vector<text::TokenizedText>& texts, Pooling pooling, bool normalize,
                                        size_t batch_size) const;
};

}  // namespace heed::tasks
