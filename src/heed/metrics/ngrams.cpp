#include "heed/metrics/ngrams.h"

#include <algorithm>

#include "heed/base/error.h"

namespace heed::metrics {
namespace {

// An occurrence of an n-gram, by what follows it.
struct Place {
  uint32_t sequence, next;
};

// The n-gram of order 0 stands everywhere.
std::vector<Place> all_places(const std::vector<Symbols>& sequences) {
  std::vector<Place> places;
  for (uint32_t s = 0; s < sequences.size(); ++s) {
    const size_t length = sequences[s].size();
    check<DataError>(length < uint64_t{1} << 32, "a segment has {} symbols, but fewer than 2^32 can be counted",
                     length);
    for (uint32_t i = 0; i < length; ++i) places.push_back({s, i});
  }
  return places;
}

}  // namespace

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

void visit_shared_ngrams(const std::vector<Symbols>& sequences, int max_order, const NgramVisitor& visit) {
  const auto next_symbol = [&](const Place& place) { return sequences[place.sequence][place.next]; };
  const auto by_next_symbol = [&](const Place& a, const Place& b) { return next_symbol(a) < next_symbol(b); };
  const auto at_end = [&](const Place& place) { return place.next == sequences[place.sequence].size(); };
  std::vector<Place> places = all_places(sequences), shared;
  std::vector<size_t> ends = {places.size()}, shared_ends;  // of groups of places with the same symbols before `next`
  std::vector<uint32_t> counts(sequences.size());
  for (int order = 1; order <= max_order && !places.empty(); ++order) {
    shared.clear(), shared_ends.clear();
    auto group = places.begin();
    for (const size_t end : ends) {
      const auto group_end = places.begin() + static_cast<std::ptrdiff_t>(end);
      const auto last = std::remove_if(group, group_end, at_end);
      std::sort(group, last, by_next_symbol);
      while (group != last) {
        const uint32_t symbol = next_symbol(*group);
        std::fill(counts.begin(), counts.end(), 0);
        const size_t begin = shared.size();
        for (; group != last && next_symbol(*group) == symbol; ++group) {
          ++counts[group->sequence];
          shared.push_back({group->sequence, group->next + 1});
        }
        if (counts[0] > 0 && counts[0] < shared.size() - begin) {
          visit(order, counts);
          shared_ends.push_back(shared.size());
        } else {
          shared.resize(begin);
        }
      }
      group = group_end;
    }
    std::swap(places, shared), std::swap(ends, shared_ends);
  }
}

}  // namespace heed::metrics
