// Training of a unigram vocabulary within words (Kudo, "Subword Regularization", ACL 2018, section 3.2): from all
// frequent substrings on, the pieces' probabilities are estimated by expectation maximisation, and the pieces whose
// loss would cost the least likelihood are dropped, until as many are left as wanted. Single characters always stay.
// Deterministic; single-threaded.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "heed/text/bpe_trainer.h"
#include "heed/text/word_counts.h"

namespace heed::text {

struct UnigramTrainOptions {
  size_t vocab_size = 8000;        // pieces, without special tokens; the alphabet may make it more
  uint64_t min_frequency = 2;      // of a substring, to be considered
  size_t limit_alphabet = 0;       // as BpeTrainOptions
  size_t max_piece_length = 16;    // characters
  size_t seeds = 1000000;          // substrings to begin with
  double shrinking_factor = 0.75;  // of the pieces stay at each step
  int iterations = 2;              // of expectation maximisation at each step
  TrainProgress progress;
};

// Pieces with their log probabilities, most probable first, of equals the one that sorts first. `words` must be sorted
// and valid UTF-8.
std::vector<std::pair<std::string, double>> train_unigram(std::span<const WordCount> words,
                                                          const UnigramTrainOptions& options);

}  // namespace heed::text
