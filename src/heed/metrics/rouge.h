// ROUGE (Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004) as Google's rouge-score 0.1.2 computes
// it: words are runs of a-z and 0-9 of the lower-cased text, stemmed or not. Pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace heed::metrics {

struct RougeScore {
  double precision = 0, recall = 0, f = 0;  // 0 to 1
};

struct RougeScores {
  RougeScore rouge1, rouge2;  // shared words and pairs of words
  RougeScore rouge_l;         // longest common subsequence of the whole texts
  RougeScore rouge_l_sum;     // union of the common subsequences of their lines
};

struct RougeOptions {
  bool stem = true;  // words of more than three letters by Porter's algorithm
};

// Of one summary; of several references, for each measure that with the highest F. Throws DataError without any
// reference, and for texts whose words multiply to more than 2^31.
RougeScores rouge(std::string_view summary, std::span<const std::string> references, const RougeOptions& options = {});

// The mean over summaries, references[i] being those of summary i. Throws DataError if their numbers differ.
RougeScores corpus_rouge(std::span<const std::string> summaries, std::span<const std::vector<std::string>> references,
                         const RougeOptions& options = {});

}  // namespace heed::metrics
