#include "heed/text/word_counts.h"

#include <algorithm>

namespace heed::text {
namespace {

constexpr size_t kEntryBytes = 80;  // what an entry takes beside its text

}  // namespace

void WordCounts::add(std::string_view word, uint64_t count) {
  if (word.size() > kLongestWord) {
    too_long_ += count;
    return;
  }
  if (const auto found = counts_.find(word); found != counts_.end()) {
    found->second += count;
    return;
  }
  counts_.emplace(word, count);
  bytes_ += word.size() + kEntryBytes;
  if (bytes_ > capacity_) forget();
}

// Half of the room is made free at least, so that it is not done often.
void WordCounts::forget() {
  for (uint64_t most = 1; bytes_ > capacity_ / 2; most *= 2)
    for (auto at = counts_.begin(); at != counts_.end();) {
      if (at->second > most) {
        ++at;
        continue;
      }
      forgotten_ += at->second;
      bytes_ -= at->first.size() + kEntryBytes;
      at = counts_.erase(at);
    }
}

std::vector<WordCount> WordCounts::sorted() const {
  std::vector<WordCount> words(counts_.begin(), counts_.end());
  std::sort(words.begin(), words.end());
  return words;
}

}  // namespace heed::text
