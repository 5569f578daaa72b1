// Filling masks: the likeliest tokens for each mask token of a text, with a trained masked language model.
#pragma once

#include "heed/tasks/encoder_texts.h"

namespace heed::tasks {

struct Filling {
  int32_t id = 0;
  std::string token;  // as text, without the marks of its place in a word
  float score = 0;    // probability
  std::string text;   // the whole with the mask replaced; other masks stay
};

struct MaskFiller : EncoderTexts {
  // ConfigError if the tokenizer has no mask token.
  static MaskFiller load(const std::filesystem::path& folder,
                         const models::LoadOptions& options = models::for_inference());

  std::string mask() const { return tokenizer->token(tokenizer->mask_id()); }
  // For each text and each of its masks the `top_k` likeliest tokens, best first.
  std::vector<std::vector<std::vector<Filling>>> fill(const std::vector<text::TokenizedText>& texts, size_t top_k,
                                                      size_t batch_size) const;
};

}  // namespace heed::tasks
