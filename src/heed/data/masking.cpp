#include "heed/data/masking.h"

#include <algorithm>
#include <cmath>

#include "heed/base/error.h"

namespace heed::data {
namespace {

struct Word {
  size_t begin, end;
};

// What is chosen as a whole: words without special tokens, or single tokens.
std::vector<Word> words_of(std::span<const int32_t> ids, const std::vector<bool>& begins, const Masking& masking) {
  std::vector<Word> words;
  bool open = false;  // whether the last word may go on
  for (size_t i = 0; i < ids.size(); ++i) {
    const bool special = std::ranges::find(masking.special, ids[i]) != masking.special.end();
    if (!special && open && !begins.empty() && !begins[i]) ++words.back().end;
    else if (!special) words.push_back({i, i + 1});
    open = !special;
  }
  return words;
}

int32_t random_token(const Masking& masking, Random& random) {
  for (;;) {
    const auto id = static_cast<int32_t>(random.below(static_cast<uint32_t>(masking.vocab_size)));
    if (std::ranges::find(masking.special, id) == masking.special.end()) return id;
  }
}

}  // namespace

Masking masking_for(const text::Tokenizer& tokenizer, double probability) {
  check<UsageError>(probability > 0 && probability <= 1, "--mask-probability is {}; it lies in (0, 1]", probability);
  check<ConfigError>(tokenizer.mask_id() >= 0, "the tokenizer has no mask token");
  Masking masking;
  masking.probability = probability;
  masking.mask_id = tokenizer.mask_id();
  masking.vocab_size = tokenizer.vocab_size();
  for (const int32_t id : {tokenizer.pad_id(), tokenizer.bos_id(), tokenizer.eos_id(), tokenizer.unk_id(),
                           tokenizer.cls_id(), tokenizer.sep_id(), tokenizer.mask_id()})
    if (id >= 0 && std::ranges::find(masking.special, id) == masking.special.end()) masking.special.push_back(id);
  check<ConfigError>(std::ssize(masking.special) < masking.vocab_size, "the tokenizer has special tokens alone");
  return masking;
}

std::vector<int32_t> mask_tokens(std::span<int32_t> ids, const std::vector<bool>& begins, const Masking& masking,
                                 Random& random) {
  std::vector<int32_t> targets(ids.size(), -100);
  std::vector<Word> words = words_of(ids, begins, masking);
  if (words.empty()) return targets;
  size_t tokens = 0, chosen = 0;
  for (const Word& word : words) tokens += word.end - word.begin;
  const auto wanted =
      std::max<size_t>(1, static_cast<size_t>(std::llrint(masking.probability * static_cast<double>(tokens))));
  random.shuffle(words);
  const auto fits = [&](const Word& word) { return chosen + (word.end - word.begin) <= wanted; };
  // Where even the shortest word is longer than the share, one is chosen all the same.
  const bool none_fits = std::none_of(words.begin(), words.end(), fits);
  for (const Word& word : words) {
    if (chosen >= wanted) break;
    if (!none_fits && !fits(word)) continue;
    for (size_t i = word.begin; i < word.end; ++i) {
      targets[i] = ids[i];
      const double draw = random.uniform();
      if (draw < masking.mask_share) ids[i] = masking.mask_id;
      else if (draw < masking.mask_share + masking.random_share) ids[i] = random_token(masking, random);
    }
    chosen += word.end - word.begin;
  }
  return targets;
}

}  // namespace heed::data
