// The n-grams that a sequence shares with others, and how often each stands in each of them.
//
// The places of an n-gram are found among those of its first n - 1 symbols by sorting their next symbols; what is not
// shared is dropped on the way. So counts are exact, no hash can be flooded, time is at most
// O(max_order * length * log(length)), memory O(length). Pure functions.
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

// Called for each distinct n-gram; counts[s] is how often it stands in sequence s.
using NgramVisitor = std::function<void(int order, std::span<const uint32_t> counts)>;

// Visits the n-grams of order 1 to max_order that stand in sequence 0 and in another one. Throws DataError for a
// sequence of 2^32 symbols or more.
void visit_shared_ngrams(const std::vector<Symbols>& sequences, int max_order, const NgramVisitor& visit);

// How many n-grams of that order a sequence of `length` symbols has.
inline int64_t ngram_total(size_t length, int order) {
  const int64_t total = static_cast<int64_t>(length) - order + 1;
  return total > 0 ? total : 0;
}

}  // namespace heed::metrics
