// What the tokenizers of the Hugging Face library `tokenizers` take for letters, spaces, punctuation and so on. Its
// parts follow different versions of Unicode, which shows where a character is younger than a part's tables: those say
// so. Immutable, hence thread-safe. Unicode 15 (ICU 72) otherwise.
#pragma once

#include <cstdint>
#include <string_view>

namespace heed::text {

enum CharacterClass : uint8_t {
  kLetter = 1,        // \p{L}
  kNumber = 2,        // \p{N}
  kSpace = 4,         // White_Space
  kWord = 8,          // \w: alphabetic, marks, decimal digits, connector punctuation, joiners
  kPunctuation = 16,  // ASCII's symbols and punctuation; else \p{P} as of Unicode 8
  kOther = 32,        // \p{C} but for what is not assigned, as of Unicode 8
  kMark = 64,         // \p{M} as of Unicode 9
  kNonspacing = 128,  // \p{Mn} as of Unicode 8
};

// The classes of `c`, or-ed together.
uint8_t classes_of(char32_t c);

inline bool is_in(char32_t c, uint8_t classes) { return (classes_of(c) & classes) != 0; }

// A CJK ideograph in BERT's sense, which reads each as a word.
bool is_bert_ideograph(char32_t c);

// How many bytes the character at the head of `text`, which is valid UTF-8 and not empty, takes.
inline size_t utf8_length(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// The character at `at` of a valid text.
inline char32_t utf8_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[at + i])); };
  const char32_t first = byte(0);
  if (first < 0x80) return first;
  if (first < 0xE0) return (first & 0x1F) << 6 | (byte(1) & 0x3F);
  if (first < 0xF0) return (first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
  return (first & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
}

// Where the character that ends at `end` (not 0) of a valid text begins.
inline size_t utf8_before(std::string_view text, size_t end) {
  do --end;
  while ((static_cast<unsigned char>(text[end]) & 0xC0) == 0x80);
  return end;
}

}  // namespace heed::text
