// N-grams of several sequences side by side: which there are, and how often each stands in each sequence.
//
// An n-gram's identity is found by sorting, from the identity of its first n - 1 symbols and its last symbol, so counts
// are exact, no hash can be flooded, and time is O(max_order * length * log(length)) with memory O(length).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace heed::metrics {

using Symbols = std::vector<uint32_t>;

// Numbers for words, the same for the same word in all sequences.
std::vector<Symbols> number_words(const std::vector<std::vector<std::string_view>>& sequences);

// Called for each distinct n-gram of each order; counts[s] is how often it stands in sequence s.
using NgramVisitor = std::function<void(int order, std::span<const uint32_t> counts)>;

// Visits the n-grams of order 1 to max_order. Throws DataError for a sequence of 2^31 symbols or more.
void visit_ngrams(const std::vector<Symbols>& sequences, int max_order, const NgramVisitor& visit);

// How many n-grams of that order a sequence of `length` symbols has.
inline int64_t ngram_total(size_t length, int order) {
  const int64_t total = static_cast<int64_t>(length) - order + 1;
  return total > 0 ? total : 0;
}

}  // namespace heed::metrics
