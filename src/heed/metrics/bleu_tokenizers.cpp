#include "heed/metrics/bleu_tokenizers.h"

#include <unicode/uchar.h>

#include <array>
#include <cassert>
#include <utility>

#include "heed/base/error.h"
#include "heed/base/utf8.h"
#include "heed/metrics/python_text.h"

namespace heed::metrics {
namespace {

constexpr std::array<std::pair<std::string_view, BleuTokenizer>, 5> kTokenizers = {{{"13a", BleuTokenizer::k13a},
                                                                                    {"intl", BleuTokenizer::kIntl},
                                                                                    {"char", BleuTokenizer::kChar},
                                                                                    {"zh", BleuTokenizer::kZh},
                                                                                    {"none", BleuTokenizer::kNone}}};

enum class Space { kBefore, kAfter };  // where the pair gets a space besides the one between its two characters

// One substitution over all pairs from left to right that do not overlap, as re.sub does: "ab" becomes " a b"
// (kBefore) or "a b " (kAfter) where first(a) and second(b).
template <class String, class First, class Second>
String separate_pairs(const String& in, Space space, First first, Second second) {
  String out;
  out.reserve(in.size() + in.size() / 2);
  size_t i = 0;
  while (i < in.size()) {
    if (i + 1 == in.size() || !first(in[i]) || !second(in[i + 1])) {
      out.push_back(in[i++]);
      continue;
    }
    if (space == Space::kBefore) out.push_back(' ');
    out.push_back(in[i]);
    out.push_back(' ');
    out.push_back(in[i + 1]);
    if (space == Space::kAfter) out.push_back(' ');
    i += 2;
  }
  return out;
}

// Puts a space on both sides of every character that `separated` names.
template <class String, class Separated>
String separate(const String& in, Separated separated) {
  String out;
  out.reserve(in.size() + in.size() / 2);
  for (const auto c : in) {
    if (!separated(c)) {
      out.push_back(c);
      continue;
    }
    out.push_back(' ');
    out.push_back(c);
    out.push_back(' ');
  }
  return out;
}

std::string join_words(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const std::string_view word : split_words(text)) {
    if (!out.empty()) out.push_back(' ');
    out += word;
  }
  return out;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  size_t at = text.find(from);
  if (at == std::string::npos) return;
  std::string out;
  size_t begin = 0;
  for (; at != std::string::npos; at = text.find(from, begin)) {
    out.append(text, begin, at - begin).append(to);
    begin = at + from.size();
  }
  text = out.append(text, begin);
}

// The symbols that mteval separates always: ASCII but letters, digits, controls and ' , - .
bool is_mteval_symbol(char c) {
  return (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') || c == '/' || (c >= ':' && c <= '@') ||
         (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

// What 13a and zh share. Works on bytes: every class of its four substitutions is ASCII or the complement of ASCII
// digits, so a byte of a longer sequence stands for its character.
std::string tokenize_mteval(std::string line) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto not_digit = [&](char c) { return !digit(c); };
  const auto point = [](char c) { return c == '.' || c == ','; };
  const auto dash = [](char c) { return c == '-'; };
  line = separate(line, is_mteval_symbol);
  line = separate_pairs(line, Space::kAfter, not_digit, point);
  line = separate_pairs(line, Space::kBefore, point, not_digit);
  line = separate_pairs(line, Space::kAfter, digit, dash);
  return join_words(line);
}

std::string tokenize_13a(std::string_view text) {
  std::string line(text);
  replace_all(line, "<skipped>", "");
  replace_all(line, "-\n", "");
  replace_all(line, "\n", " ");
  // One after the other, so that "&amp;lt;" ends as "<".
  replace_all(line, "&quot;", "\"");
  replace_all(line, "&amp;", "&");
  replace_all(line, "&lt;", "<");
  replace_all(line, "&gt;", ">");
  return tokenize_mteval(" " + line + " ");
}

bool in_categories(char32_t c, uint32_t mask) { return U_GET_GC_MASK(static_cast<UChar32>(c)) & mask; }

std::string tokenize_intl(std::string_view text) {
  const auto number = [](char32_t c) { return in_categories(c, U_GC_N_MASK); };
  const auto not_number = [&](char32_t c) { return !number(c); };
  const auto punctuation = [](char32_t c) { return in_categories(c, U_GC_P_MASK); };
  const auto symbol = [](char32_t c) { return in_categories(c, U_GC_S_MASK); };
  std::u32string line = to_code_points(text);
  line = separate_pairs(line, Space::kAfter, not_number, punctuation);
  line = separate_pairs(line, Space::kBefore, punctuation, not_number);
  return join_words(from_code_points(separate(line, symbol)));
}

std::string tokenize_char(std::string_view text) {
  std::string out;
  out.reserve(2 * text.size());
  for (size_t at = 0; at < text.size();) {
    if (at > 0) out.push_back(' ');
    const uint32_t length = decode_utf8(text.substr(at)).length;
    out += text.substr(at, length);
    at += length;
  }
  return out;
}

// The ranges of sacreBLEU's zh as Python compares them. Its source writes Extension B as '\u20000' to '\u2a6d6', which
// are strings of two characters, U+2000 '0' and U+2A6D '6': what lies between is U+2001 to U+2A6D (punctuation, arrows,
// mathematics, radicals' neighbours), and Extension B itself is not Chinese. Scores are comparable only with that.
// Ranges within that one (U+2600 to U+27BF) are left out.
bool is_chinese(char32_t c) {
  constexpr std::pair<char32_t, char32_t> kRanges[] = {
      {0x2001, 0x2A6D}, {0x2E80, 0x2EFF}, {0x2F00, 0x2FDF}, {0x2FF0, 0x303F}, {0x3100, 0x312F}, {0x31A0, 0x31BF},
      {0x31C0, 0x31EF}, {0x3200, 0x33FF}, {0x3400, 0x4DB5}, {0x4E00, 0x9FBB}, {0xF900, 0xFA2D}, {0xFA30, 0xFA6A},
      {0xFA70, 0xFAD9}, {0xFE10, 0xFE1F}, {0xFE30, 0xFE4F}, {0xFF00, 0xFFEF}};
  for (const auto& [first, last] : kRanges)
    if (c <= last) return c >= first;
  return false;
}

std::string tokenize_zh(std::string_view text) {
  return tokenize_mteval(from_code_points(separate(to_code_points(strip(text)), is_chinese)));
}

std::string tokenize_valid(BleuTokenizer tokenizer, std::string_view line) {
  switch (tokenizer) {
    case BleuTokenizer::k13a: return tokenize_13a(line);
    case BleuTokenizer::kIntl: return tokenize_intl(line);
    case BleuTokenizer::kChar: return tokenize_char(line);
    case BleuTokenizer::kZh: return tokenize_zh(line);
    case BleuTokenizer::kNone: break;
  }
  return std::string(line);
}

}  // namespace

BleuTokenizer bleu_tokenizer(std::string_view name) {
  std::string valid;
  for (const auto& [known, tokenizer] : kTokenizers) {
    if (name == known) return tokenizer;
    valid += valid.empty() ? "" : ", ";
    valid += known;
  }
  fail<UsageError>("BLEU has no tokenizer '{}', only {}", name, valid);
}

std::string_view bleu_tokenizer_name(BleuTokenizer tokenizer) {
  for (const auto& [name, known] : kTokenizers)
    if (known == tokenizer) return name;
  assert(false);
  return {};
}

std::string tokenize(BleuTokenizer tokenizer, std::string_view line) {
  if (is_valid_utf8(line)) return tokenize_valid(tokenizer, line);
  return tokenize_valid(tokenizer, to_valid_utf8(line));
}

}  // namespace heed::metrics
