#include "heed/text/python_text.h"

#include <fmt/format.h>
#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "heed/base/utf8.h"

namespace heed::text {
namespace {

icu::UnicodeString to_icu(std::string_view text) {
  return icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
}

std::string from_icu(const icu::UnicodeString& text) {
  std::string out;
  text.toUTF8String(out);
  return out;
}

// The titlecase form of one character, which may be several ("ß" becomes "Ss").
std::string title_character(std::string_view character) {
  if (static_cast<unsigned char>(character[0]) < 0x80)
    return std::string(1, static_cast<char>(u_totitle(static_cast<UChar32>(character[0]))));
  return from_icu(to_icu(character).toTitle(nullptr, icu::Locale::getRoot(), 0));
}

bool is_cased(char32_t c) { return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_CASED); }

template <class Visit>
void for_each_character(std::string_view text, Visit&& visit) {
  while (!text.empty()) {
    const CodePoint point = decode_utf8(text);
    visit(point.value, text.substr(0, point.length));
    text.remove_prefix(point.length);
  }
}

bool is_line_end(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

bool is_printable(char32_t c) {
  if (c == ' ') return true;
  constexpr uint32_t kNot = U_GC_C_MASK | U_GC_Z_MASK;  // "Other" and "Separator"
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & kNot) == 0;
}

bool has_class(PythonClass expected, char32_t value) {
  const auto c = static_cast<UChar32>(value);
  const int32_t type = u_getIntPropertyValue(c, UCHAR_NUMERIC_TYPE);
  const bool alpha = (U_GET_GC_MASK(c) & U_GC_L_MASK) != 0;
  switch (expected) {
    case PythonClass::kAlpha: return alpha;
    case PythonClass::kDigit: return type == U_NT_DECIMAL || type == U_NT_DIGIT;
    case PythonClass::kAlphanumeric: return alpha || type != U_NT_NONE;
    case PythonClass::kSpace: return is_python_space(value);
    case PythonClass::kNumeric: return type != U_NT_NONE;
    case PythonClass::kDecimal: return type == U_NT_DECIMAL;
    case PythonClass::kAscii: return value < 0x80;
  }
  return false;
}

size_t last_character(std::string_view text) {  // where it begins
  size_t at = text.size() - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

std::vector<std::string_view> split_at_space(std::string_view text, int64_t most, bool from_right) {
  std::vector<std::string_view> parts;
  while (true) {
    text = python_strip(text, {}, !from_right, from_right);
    if (text.empty()) break;
    if (most >= 0 && static_cast<int64_t>(parts.size()) == most) {
      parts.push_back(text);
      break;
    }
    size_t begin = from_right ? text.size() : 0, end = begin;
    if (from_right) {
      while (begin > 0) {
        const size_t before = last_character(text.substr(0, begin));
        if (is_python_space(decode_utf8(text.substr(before)).value)) break;
        begin = before;
      }
    } else {
      while (end < text.size()) {
        const CodePoint point = decode_utf8(text.substr(end));
        if (is_python_space(point.value)) break;
        end += point.length;
      }
    }
    parts.push_back(from_right ? text.substr(begin) : text.substr(0, end));
    text = from_right ? text.substr(0, begin) : text.substr(end);
  }
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

// Whether a cased character follows, characters that have no case of their own (such as accents) passed over.
bool cased_follows(std::string_view text) {
  while (!text.empty()) {
    const CodePoint point = decode_utf8(text);
    if (!u_hasBinaryProperty(static_cast<UChar32>(point.value), UCHAR_CASE_IGNORABLE)) return is_cased(point.value);
    text.remove_prefix(point.length);
  }
  return false;
}

}  // namespace

bool is_python_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

int64_t count_code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

size_t byte_of_code_point(std::string_view text, int64_t index) {
  size_t at = 0;
  for (; index > 0 && at < text.size(); --index) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  }
  return at;
}

std::string_view python_strip(std::string_view text, std::optional<std::string_view> characters, bool left,
                              bool right) {
  const std::u32string set = characters ? to_code_points(*characters) : std::u32string();
  const auto goes = [&](std::string_view at) {
    const char32_t c = decode_utf8(at).value;
    return characters ? set.find(c) != std::u32string::npos : is_python_space(c);
  };
  while (left && !text.empty() && goes(text)) text.remove_prefix(decode_utf8(text).length);
  while (right && !text.empty()) {
    const size_t at = last_character(text);
    if (!goes(text.substr(at))) break;
    text = text.substr(0, at);
  }
  return text;
}

std::vector<std::string_view> python_split(std::string_view text, std::optional<std::string_view> separator,
                                           int64_t most, bool from_right) {
  if (!separator) return split_at_space(text, most, from_right);
  std::vector<std::string_view> parts;
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    const size_t at = from_right ? text.rfind(*separator) : text.find(*separator);
    if (at == std::string_view::npos) break;
    const std::string_view before = text.substr(0, at), behind = text.substr(at + separator->size());
    parts.push_back(from_right ? behind : before);
    text = from_right ? before : behind;
  }
  parts.push_back(text);
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> python_split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text.substr(at));
    size_t behind = at + point.length;
    if (is_line_end(point.value)) {
      if (point.value == '\r' && behind < text.size() && text[behind] == '\n') ++behind;
      lines.push_back(text.substr(begin, (keep_ends ? behind : at) - begin));
      begin = behind;
    }
    at = behind;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

std::string python_upper(std::string_view text) { return from_icu(to_icu(text).toUpper(icu::Locale::getRoot())); }
std::string python_lower(std::string_view text) { return from_icu(to_icu(text).toLower(icu::Locale::getRoot())); }

std::string python_capitalize(std::string_view text) {
  if (text.empty()) return {};
  const size_t first = decode_utf8(text).length;
  return title_character(text.substr(0, first)) + python_lower(text.substr(first));
}

std::string python_title(std::string_view text) {
  std::string out;
  bool inside = false;  // the character before is cased
  for_each_character(text, [&](char32_t value, std::string_view character) {
    constexpr char32_t kSigma = 0x3A3;  // has a form of its own at a word's end
    if (!inside) out += title_character(character);
    else if (value != kSigma) out += python_lower(character);
    else out += cased_follows(text.substr(static_cast<size_t>(character.end() - text.begin()))) ? "σ" : "ς";
    inside = is_cased(value);
  });
  return out;
}

std::string python_replace(std::string_view text, std::string_view from, std::string_view to, int64_t most) {
  std::string out;
  if (from.empty()) {
    for_each_character(text, [&](char32_t, std::string_view character) {
      if (most != 0) out += to;
      if (most > 0) --most;
      out += character;
    });
    if (most != 0) out += to;
    return out;
  }
  while (most != 0) {
    const size_t at = text.find(from);
    if (at == std::string_view::npos) break;
    out.append(text.substr(0, at)).append(to);
    text.remove_prefix(at + from.size());
    if (most > 0) --most;
  }
  return out.append(text);
}

bool python_is(PythonClass expected, std::string_view text) {
  bool all = expected == PythonClass::kAscii || !text.empty();
  for_each_character(text, [&](char32_t value, std::string_view) { all = all && has_class(expected, value); });
  return all;
}

bool python_is_lower(std::string_view text) {
  bool any = false, none_else = true;
  for_each_character(text, [&](char32_t value, std::string_view) {
    const auto c = static_cast<UChar32>(value);
    any = any || u_isULowercase(c);
    none_else = none_else && !u_isUUppercase(c) && u_charType(c) != U_TITLECASE_LETTER;
  });
  return any && none_else;
}

bool python_is_upper(std::string_view text) {
  bool any = false, none_else = true;
  for_each_character(text, [&](char32_t value, std::string_view) {
    const auto c = static_cast<UChar32>(value);
    any = any || u_isUUppercase(c);
    none_else = none_else && !u_isULowercase(c) && u_charType(c) != U_TITLECASE_LETTER;
  });
  return any && none_else;
}

std::string python_repr(std::string_view text) {
  const bool apostrophe = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  const char quote = apostrophe ? '"' : '\'';
  std::string out(1, quote);
  for_each_character(text, [&](char32_t value, std::string_view character) {
    const auto number = static_cast<uint32_t>(value);
    if (value == '\n') out += "\\n";
    else if (value == '\r') out += "\\r";
    else if (value == '\t') out += "\\t";
    else if (value == '\\' || value == static_cast<char32_t>(quote)) out.append("\\").append(character);
    else if (is_printable(value)) out += character;
    else if (value < 0x100) out += fmt::format("\\x{:02x}", number);
    else if (value < 0x10000) out += fmt::format("\\u{:04x}", number);
    else out += fmt::format("\\U{:08x}", number);
  });
  return out + quote;
}

std::string python_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  std::string text(buffer, end);  // -d.ddde+xx, the shortest that reads back
  const size_t e = text.find('e');
  const int exponent = std::stoi(text.substr(e + 1));
  std::string sign = text[0] == '-' ? "-" : "", digits;
  for (const char c : text.substr(0, e))
    if (c >= '0' && c <= '9') digits += c;
  const int count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    const std::string_view point = count > 1 ? "." : "";
    return fmt::format("{}{}{}{}e{}{:02}", sign, digits[0], point, digits.substr(1), exponent < 0 ? '-' : '+',
                       std::abs(exponent));
  }
  if (exponent < 0) return sign + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  if (count <= exponent + 1) return sign + digits + std::string(static_cast<size_t>(exponent + 1 - count), '0') + ".0";
  const size_t whole = static_cast<size_t>(exponent) + 1;
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

}  // namespace heed::text
