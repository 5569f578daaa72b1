#include "heed/metrics/python_text.h"

#include <unicode/bytestream.h>
#include <unicode/casemap.h>

#include <cstdint>
#include <limits>

#include "heed/base/error.h"
#include "heed/base/utf8.h"

namespace heed::metrics {
namespace {

bool is_continuation(char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }

// The last code point of `text`, which must not be empty.
CodePoint last_code_point(std::string_view text) {
  size_t begin = text.size() - 1;
  while (begin > 0 && text.size() - begin < 4 && is_continuation(text[begin])) --begin;
  const CodePoint c = decode_utf8(text.substr(begin));
  if (c.valid && begin + c.length == text.size()) return c;
  return {kReplacementCharacter, 1, false};
}

}  // namespace

bool is_space(char32_t c) {
  if (c < 0x80) return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x205F || c == 0x3000;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text.substr(at));
    if (is_space(c.value)) {
      if (at > begin) words.push_back(text.substr(begin, at - begin));
      begin = at + c.length;
    }
    at += c.length;
  }
  if (begin < text.size()) words.push_back(text.substr(begin));
  return words;
}

std::string_view strip_right(std::string_view text) {
  while (!text.empty()) {
    const CodePoint c = last_code_point(text);
    if (!is_space(c.value)) break;
    text.remove_suffix(c.length);
  }
  return text;
}

std::string_view strip(std::string_view text) {
  while (!text.empty()) {
    const CodePoint c = decode_utf8(text);
    if (!is_space(c.value)) break;
    text.remove_prefix(c.length);
  }
  return strip_right(text);
}

std::string to_lower(std::string_view text) {
  if (!is_valid_utf8(text)) return to_lower(to_valid_utf8(text));  // ICU passes malformed bytes through
  check<DataError>(text.size() <= std::numeric_limits<int32_t>::max() / 4,
                   "lower-casing takes lines up to {} bytes, this one has {}", std::numeric_limits<int32_t>::max() / 4,
                   text.size());
  std::string lower;
  lower.reserve(text.size());
  icu::StringByteSink<std::string> sink(&lower);
  UErrorCode code = U_ZERO_ERROR;
  icu::CaseMap::utf8ToLower("", 0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), sink, nullptr,
                            code);
  check<DataError>(U_SUCCESS(code), "lower-casing failed: {}", u_errorName(code));
  return lower;
}

}  // namespace heed::metrics
