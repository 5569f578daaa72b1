#include "heed/tasks/word_dropout.h"

#include "heed/base/error.h"
#include "heed/base/random.h"

namespace heed::tasks {

WordDropout::WordDropout(double share, uint64_t seed, const text::Tokenizer& tokenizer)
    : share_(share), seed_(seed), mask_(tokenizer.mask_id()) {
  check<UsageError>(share == 0 || mask_ >= 0,
                    "--word-dropout hides words behind the tokenizer's mask, and this one has none");
}

std::vector<int32_t> WordDropout::ids(const text::TokenizedText& tokens, size_t begin, size_t end, uint64_t epoch,
                                      uint32_t example, uint32_t part) const {
  constexpr uint64_t kHidden = 0x68696465;  // no other use of the seed draws from it
  Random random(seed_ ^ kHidden, epoch << 32 | example, part);
  std::vector<int32_t> result;
  bool hidden = false;
  for (size_t i = begin; i < end; ++i) {
    const int32_t word = tokens.words[i];
    if (i == begin || word != tokens.words[i - 1]) hidden = word >= 0 && random.uniform() < share_;
    result.push_back(hidden ? mask_ : tokens.ids[i]);
  }
  return result;
}

}  // namespace heed::tasks
