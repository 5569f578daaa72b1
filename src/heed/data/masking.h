// Masking for masked language models (Devlin et al. 2019, section 3.1 and appendix A.1): of the tokens of a text a
// share is chosen to be predicted; of those, 80 % become the mask token, 10 % another token, and 10 % stay.
//
// A pure function of its arguments and the random stream; thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "heed/base/random.h"
#include "heed/text/tokenizer.h"

namespace heed::data {

struct Masking {
  double probability = 0.15;  // of being chosen: the number of tokens is rounded (halves to even), at least 1
  double mask_share = 0.8;    // of the chosen ones
  double random_share = 0.1;  // of the chosen ones
  int32_t mask_id = -1;
  int32_t vocab_size = 0;        // random tokens are drawn below it
  std::vector<int32_t> special;  // never chosen and never drawn
};

// With the tokenizer's mask, vocabulary and special tokens. Throws UsageError for a probability outside (0, 1],
// ConfigError if the tokenizer has no mask token.
Masking masking_for(const text::Tokenizer& tokenizer, double probability);

// Masks `ids` and returns what is to be predicted: the token that was there, -100 where none was chosen. `begins`:
// whether a word begins at each token, so that words are chosen whole; empty: every token is chosen for itself.
std::vector<int32_t> mask_tokens(std::span<int32_t> ids, const std::vector<bool>& begins, const Masking& masking,
                                 Random& random);

}  // namespace heed::data
