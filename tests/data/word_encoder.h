// An encoder for the tests of data/: words that are numbers become those ids, others the id of a hash; 0 ends.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <vector>

#include "heed/data/encoded_corpus.h"
#include "heed/data/streams.h"

namespace heed::data {

inline std::vector<int32_t> encode_words(std::string_view text) {
  std::vector<int32_t> ids;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (word.empty()) continue;
    int32_t id = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || end != word.data() + word.size()) {
      id = 1;
      for (const char c : word) id = (id * 31 + static_cast<uint8_t>(c)) % 8000;
      id += 2;
    }
    ids.push_back(id);
  }
  ids.push_back(0);
  return ids;
}

// As above with some ids replaced by two others.
inline std::vector<int32_t> sample_words(std::string_view text, Random& random) {
  std::vector<int32_t> ids;
  for (const int32_t id : encode_words(text)) {
    if (id != 0 && random.below(2)) ids.push_back(10000 + static_cast<int32_t>(random.below(100)));
    ids.push_back(id);
  }
  return ids;
}

inline PairEncoders word_encoders() { return {encode_words, encode_words, {}, {}}; }

}  // namespace heed::data
