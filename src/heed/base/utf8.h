// UTF-8 decoding and encoding, by the Unicode standard's rule for malformed input: each maximal malformed subpart
// becomes one U+FFFD (Unicode 15, section 3.9, table 3-8).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace heed {

inline constexpr char32_t kReplacementCharacter = 0xFFFD;

// One code point at the head of a text: its value, how many bytes it takes, and whether those bytes were well formed.
struct CodePoint {
  char32_t value;
  uint32_t length;
  bool valid;
};

// Decodes the first code point of `text`, which must not be empty.
CodePoint decode_utf8(std::string_view text);

// Appends the encoding of `value` (surrogates and values above U+10FFFF as U+FFFD).
void append_utf8(std::string& out, char32_t value);

bool is_valid_utf8(std::string_view text);

// Replaces what is malformed by U+FFFD.
std::string to_valid_utf8(std::string_view text);

std::u32string to_code_points(std::string_view text);
std::string from_code_points(std::u32string_view text);

}  // namespace heed
