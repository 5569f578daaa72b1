// Training of byte pair encoding within words (Sennrich et al., "Neural Machine Translation of Rare Words with Subword
// Units", ACL 2016) with the rules of the trainer in Hugging Face's `tokenizers`: the most frequent pair of neighbours
// is merged, among equals the one whose left, then right id is lower, until the vocabulary is full or no pair is
// frequent enough. Counts are kept up to date merge by merge, through a heap. WordPiece vocabularies are made likewise,
// with a mark before the characters that continue a word. Deterministic; single-threaded.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "heed/text/word_counts.h"

namespace heed::text {

// How far a training has come: `done` of `total`.
using TrainProgress = std::function<void(size_t done, size_t total)>;

struct BpeTrainOptions {
  size_t vocab_size = 8000;         // with special tokens and alphabet; these may make it larger
  uint64_t min_frequency = 2;       // of a pair, to be merged
  size_t limit_alphabet = 0;        // keep the most frequent characters, of equals the lower code points; 0: all
  std::u32string initial_alphabet;  // characters that are in the vocabulary anyway
  std::vector<std::string> special_tokens;  // they have the first ids
  std::string continuing_prefix;            // before a token that does not begin a word; "##" for WordPiece
  TrainProgress progress;
};

struct BpeVocabulary {
  std::vector<std::string> tokens;                    // by id: special tokens, characters, merged ones
  std::vector<std::pair<uint32_t, uint32_t>> merges;  // ids, in their order
};

// `words` must be sorted and valid UTF-8.
BpeVocabulary train_bpe(std::span<const WordCount> words, const BpeTrainOptions& options);

// The characters of `words` to keep, sorted: all, or the `limit` most frequent (0: all).
std::u32string train_alphabet(std::span<const WordCount> words, size_t limit, const std::u32string& always);

}  // namespace heed::text
