// How often each word of a text occurs, as trainers of tokenizers want it. Memory is bounded: where there are more
// different words than fit, the rarest are forgotten (those seen once first), which is counted. The result depends on
// the words and their order alone. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace heed::text {

// A word and how often it occurs.
using WordCount = std::pair<std::string, uint64_t>;

class WordCounts {
 public:
  // Longer words are left out, in bytes.
  static constexpr size_t kLongestWord = 1024;

  // `capacity`: about how many bytes the words may take.
  explicit WordCounts(size_t capacity = size_t{1} << 30) : capacity_(capacity) {}

  void add(std::string_view word, uint64_t count = 1);

  // All words, sorted by their bytes.
  std::vector<WordCount> sorted() const;

  uint64_t too_long() const { return too_long_; }    // occurrences of words that were left out
  uint64_t forgotten() const { return forgotten_; }  // occurrences that were forgotten

 private:
  void forget();

  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, uint64_t, Hash, std::equal_to<>> counts_;
  size_t capacity_;
  size_t bytes_ = 0;
  uint64_t too_long_ = 0, forgotten_ = 0;
};

}  // namespace heed::text
