// Words hidden at random in training, so that a model cannot lean on any one of them (Iyyer et al. 2015, section 2.4,
// for classifiers: a word that is dropped is not seen at all; here its place stays, behind the tokenizer's mask).
#pragma once

#include <cstdint>
#include <vector>

#include "heed/text/tokenizer.h"

namespace heed::tasks {

class WordDropout {
 public:
  WordDropout() = default;
  // Throws UsageError if words are to be hidden and the tokenizer has no mask.
  WordDropout(double share, uint64_t seed, const text::Tokenizer& tokenizer);

  // The ids of the tokens [begin, end), where each word is hidden as a whole or not at all: a pure function of the seed
  // and of (epoch, example, part). Special tokens stay.
  std::vector<int32_t> ids(const text::TokenizedText& tokens, size_t begin, size_t end, uint64_t epoch,
                           uint32_t example, uint32_t part = 0) const;

 private:
  double share_ = 0;
  uint64_t seed_ = 0;
  int32_t mask_ = -1;
};

}  // namespace heed::tasks
