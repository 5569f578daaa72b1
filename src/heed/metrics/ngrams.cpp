#include "heed/metrics/ngrams.h"

#include <algorithm>

#include "heed/base/error.h"

namespace heed::metrics {

std::vector<Symbols> number_words(const std::vector<std::vector<std::string_view>>& sequences) {
  struct Word {
    std::string_view text;
    uint32_t sequence, position;
  };
  std::vector<Symbols> numbers;
  std::vector<Word> words;
  for (const auto& sequence : sequences) {
    const auto s = static_cast<uint32_t>(numbers.size());
    for (size_t i = 0; i < sequence.size(); ++i) words.push_back({sequence[i], s, static_cast<uint32_t>(i)});
    numbers.emplace_back(sequence.size());
  }
  std::sort(words.begin(), words.end(), [](const Word& a, const Word& b) { return a.text < b.text; });
  uint32_t number = 0;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0 && words[i].text != words[i - 1].text) ++number;
    numbers[words[i].sequence][words[i].position] = number;
  }
  return numbers;
}

void visit_ngrams(const std::vector<Symbols>& sequences, int max_order, const NgramVisitor& visit) {
  struct Occurrence {
    uint64_t ngram;  // number of its first order - 1 symbols, then its last symbol
    uint32_t sequence, position;
  };
  for (const Symbols& sequence : sequences)
    check<DataError>(sequence.size() < uint64_t{1} << 31, "a segment has {} symbols, but at most 2^31 can be counted",
                     sequence.size());
  std::vector<Symbols> prefixes;  // [sequence][position]: number of the n-gram of the order before that begins there
  for (const Symbols& sequence : sequences) prefixes.emplace_back(sequence.size(), 0);
  std::vector<Occurrence> found;
  std::vector<uint32_t> counts(sequences.size());
  for (int order = 1; order <= max_order; ++order) {
    found.clear();
    for (uint32_t s = 0; s < sequences.size(); ++s)
      for (size_t i = 0, last = order - 1; last < sequences[s].size(); ++i, ++last)
        found.push_back({uint64_t{prefixes[s][i]} << 32 | sequences[s][last], s, static_cast<uint32_t>(i)});
    if (found.empty()) return;
    std::sort(found.begin(), found.end(), [](const Occurrence& a, const Occurrence& b) { return a.ngram < b.ngram; });
    uint32_t number = 0;
    for (auto at = found.begin(); at != found.end(); ++number) {
      const uint64_t ngram = at->ngram;
      std::fill(counts.begin(), counts.end(), 0);
      for (; at != found.end() && at->ngram == ngram; ++at) {
        ++counts[at->sequence];
        prefixes[at->sequence][at->position] = number;
      }
      visit(order, counts);
    }
  }
}

}  // namespace heed::metrics
