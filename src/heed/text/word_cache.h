// The tokens of words met before, kept per thread: a table of fixed size in which a new word takes the place of the one
// that has its slot. Long words, and words of many tokens, are not kept.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace heed::text::pipeline {

// A token of a piece: its id, and the bytes of the piece that it is for.
struct Token {
  int32_t id;
  uint32_t begin, end;
};

class WordCache {
 public:
  static constexpr size_t kMaxWord = 30, kMaxTokens = 5;

  static WordCache& of_thread();

  // A number for a new model, so that models share the table. Never 0.
  static uint32_t new_model();

  struct Entry {
    uint32_t model = 0;
    uint8_t length = 0, count = 0;
    std::array<char, kMaxWord> word;
    std::array<int32_t, kMaxTokens> ids;
    std::array<uint8_t, kMaxTokens> ends;  // of the tokens, in the word
  };

  // The slot of a word of at most kMaxWord bytes.
  Entry& slot(uint32_t model, std::string_view word) { return entries_[hash(model, word) & (kSlots - 1)]; }

  static bool holds(const Entry& entry, uint32_t model, std::string_view word) {
    return entry.model == model && entry.length == word.size() &&
           std::memcmp(entry.word.data(), word.data(), word.size()) == 0;
  }

  // Keeps the tokens [first, end) of `tokens`, if they are few enough and join up to the word.
  static void keep(Entry& entry, uint32_t model, std::string_view word, const std::vector<Token>& tokens, size_t first,
                   uint32_t offset);

 private:
  static constexpr size_t kSlots = size_t{1} << 14;

  WordCache() : entries_(std::make_unique<Entry[]>(kSlots)) {}

  static size_t hash(uint32_t model, std::string_view word) {
    uint64_t h = model * 0x9E3779B97F4A7C15 + word.size();
    const char* p = word.data();
    size_t left = word.size();
    for (uint64_t block; left >= 8; p += 8, left -= 8) {
      std::memcpy(&block, p, 8);
      h = (h ^ block) * 0xD6E8FEB86659FD93;
      h ^= h >> 32;
    }
    uint64_t last = 0;
    for (size_t i = 0; i < left; ++i) last |= uint64_t{static_cast<unsigned char>(p[i])} << (8 * i);
    h = (h ^ last) * 0xD6E8FEB86659FD93;
    return static_cast<size_t>(h ^ h >> 32);
  }

  std::unique_ptr<Entry[]> entries_;
};

}  // namespace heed::text::pipeline
