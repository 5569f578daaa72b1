#include "heed/text/jinja_lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "heed/base/error.h"
#include "heed/base/utf8.h"
#include "heed/text/python_text.h"

namespace heed::text::jinja {
namespace {

constexpr std::array<std::string_view, 6> kLongOperators = {"//", "**", "==", "!=", ">=", "<="};
constexpr std::string_view kOperators = "+-/*%~[](){}><=.:|,;";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool in_name(char c) { return begins_name(c) || is_digit(c); }

// All line ends as "\n", without one at the end.
std::string with_plain_line_ends(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') out += source[i];
    else if (i + 1 == source.size() || source[i + 1] != '\n') out += '\n';
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  Lexer(std::string_view source, const std::string& name) : source_(with_plain_line_ends(source)), name_(name) {
    check<FormatError>(is_valid_utf8(source_), "{}: expected UTF-8", name_);
  }

  std::vector<Token> run() {
    while (at_ < source_.size()) text();
    add(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  template <class... Args>
  [[noreturn]] void error(fmt::format_string<Args...> format, Args&&... args) const {
    fail<FormatError>("{}: line {}: {}", name_, line_, fmt::format(format, std::forward<Args>(args)...));
  }

  void add(TokenKind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }
  char here(size_t offset = 0) const { return at_ + offset < source_.size() ? source_[at_ + offset] : '\0'; }
  bool starts(std::string_view text) const { return std::string_view(source_).substr(at_).starts_with(text); }

  void advance(size_t bytes) {
    for (const size_t end = std::min(at_ + bytes, source_.size()); at_ < end; ++at_)
      if (source_[at_] == '\n') ++line_;
  }

  void skip_space() {
    while (at_ < source_.size()) {
      const CodePoint point = decode_utf8(std::string_view(source_).substr(at_));
      if (!is_python_space(point.value)) return;
      advance(point.length);
    }
  }

  // Text up to the next tag, and the tag.
  void text() {
    size_t begin = source_.find('{', at_);
    while (begin != std::string::npos && !tag_at(begin)) begin = source_.find('{', begin + 1);
    const std::string_view whole = std::string_view(source_).substr(at_, begin - at_);
    if (begin == std::string::npos) return plain(whole, whole.size());
    const char sign = begin + 2 < source_.size() ? source_[begin + 2] : '\0';
    std::string_view kept = whole;
    if (sign == '-') kept = python_strip(whole, {}, false, true);
    else if (sign != '+' && source_[begin + 1] != '{') kept = without_indent(whole);
    plain(kept, whole.size());
    const bool has_sign = sign == '-' || sign == '+';
    if (source_[at_ + 1] == '#') return comment(has_sign);
    if (source_[at_ + 1] == '{') return expression(TokenKind::kPrintBegin, TokenKind::kPrintEnd, "}}", has_sign);
    if (!raw()) expression(TokenKind::kBlockBegin, TokenKind::kBlockEnd, "%}", has_sign);
  }

  bool tag_at(size_t begin) const {
    const char next = begin + 1 < source_.size() ? source_[begin + 1] : '\0';
    return next == '%' || next == '{' || next == '#';
  }

  // lstrip_blocks: without the white space between the line's beginning and the tag.
  std::string_view without_indent(std::string_view text) const {
    const size_t line = text.rfind('\n') + 1;  // 0 if there is none
    const bool line_begins = line > 0 || at_ == 0 || source_[at_ - 1] == '\n';
    return line_begins && python_strip(text.substr(line), {}, true, false).empty() ? text.substr(0, line) : text;
  }

  void plain(std::string_view kept, size_t bytes) {
    if (!kept.empty()) add(TokenKind::kText, std::string(kept));
    advance(bytes);
  }

  // What follows a tag's end: "-" before it takes white space, "+" nothing, else one line end goes.
  void after_tag(char sign) {
    if (sign == '-') skip_space();
    else if (sign != '+' && here() == '\n') advance(1);
  }

  void comment(bool has_sign) {
    advance(has_sign ? 3 : 2);
    const size_t end = source_.find("#}", at_);
    if (end == std::string::npos) error("a comment has no end '#}}'");
    const char sign = end > at_ ? source_[end - 1] : '\0';
    advance(end + 2 - at_);
    after_tag(sign);
  }

  // At `{%`: the name of the tag if it has nothing else inside, and what to skip to get behind it.
  bool lone_tag(size_t begin, std::string_view word, size_t& end, char& sign) const {
    size_t at = begin + 2;
    if (at < source_.size() && (source_[at] == '-' || source_[at] == '+')) ++at;
    const auto skip = [&] {
      while (at < source_.size() && is_python_space(static_cast<unsigned char>(source_[at]))) ++at;
    };
    skip();
    if (source_.compare(at, word.size(), word) != 0) return false;
    at += word.size();
    skip();
    sign = at < source_.size() ? source_[at] : '\0';
    if (sign == '-' || sign == '+') ++at;
    end = at + 2;
    return source_.compare(at, 2, "%}") == 0;
  }

  bool raw() {
    size_t end = 0;
    char sign = 0;
    if (!lone_tag(at_, "raw", end, sign) || sign == '+') return false;
    advance(end - at_);
    if (sign == '-') skip_space();
    size_t close = at_;
    while ((close = source_.find("{%", close)) != std::string::npos && !lone_tag(close, "endraw", end, sign)) ++close;
    if (close == std::string::npos) error("'raw' has no 'endraw'");
    const std::string_view whole = std::string_view(source_).substr(at_, close - at_);
    const char left = source_[close + 2];
    plain(left == '-'   ? python_strip(whole, {}, false, true)
          : left == '+' ? whole
                        : without_indent(whole),
          whole.size());
    advance(end - at_);
    after_tag(sign);
    return true;
  }

  // The tokens of {{ ... }} or {% ... %}.
  void expression(TokenKind begin, TokenKind end, std::string_view close, bool has_sign) {
    add(begin, "");
    const int opened = line_;
    advance(has_sign ? 3 : 2);
    std::string brackets;  // closing ones that are still to come; inside of them "}}" ends no tag
    while (true) {
      skip_space();
      if (at_ == source_.size()) {
        line_ = opened;
        error("a tag has no end '{}'", close);
      }
      const bool signed_end =
          (here() == '-' || (here() == '+' && close == "%}")) && source_.compare(at_ + 1, 2, close) == 0;
      if (brackets.empty() && (signed_end || starts(close))) {
        const char sign = signed_end ? here() : '\0';
        add(end, "");
        advance(signed_end ? 3 : 2);
        if (sign == '-' || close == "%}") after_tag(sign);
        return;
      }
      token(brackets);
    }
  }

  void token(std::string& brackets) {
    if (is_digit(here())) return number();
    if (begins_name(here())) {
      size_t end = at_;
      while (end < source_.size() && in_name(source_[end])) ++end;
      add(TokenKind::kName, source_.substr(at_, end - at_));
      return advance(end - at_);
    }
    if (here() == '\'' || here() == '"') return string();
    const auto* const longer =
        std::find_if(kLongOperators.begin(), kLongOperators.end(), [&](std::string_view o) { return starts(o); });
    if (longer != kLongOperators.end()) {
      add(TokenKind::kOperator, std::string(*longer));
      return advance(2);
    }
    const char c = here();
    if (kOperators.find(c) == std::string_view::npos) error("unexpected character '{}'", c);
    if (c == '(' || c == '[' || c == '{') brackets += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (brackets.empty()) error("unexpected '{}'", c);
      if (brackets.back() != c) error("unexpected '{}', expected '{}'", c, brackets.back());
      brackets.pop_back();
    }
    add(TokenKind::kOperator, std::string(1, c));
    advance(1);
  }

  // Digits of a base with single underscores between them; what was skipped is `end - at`.
  std::string digits(size_t& at, std::string_view allowed) const {
    std::string found;
    while (at < source_.size()) {
      const bool underscore = source_[at] == '_' && !found.empty();
      const size_t next = at + (underscore ? 1 : 0);
      if (next >= source_.size() || allowed.find(source_[next]) == std::string_view::npos) break;
      found += source_[next];
      at = next + 1;
    }
    return found;
  }

  void number() {
    constexpr std::string_view kDecimal = "0123456789";
    const char prefix = here() == '0' ? static_cast<char>(here(1) | 0x20) : '\0';
    const int base = prefix == 'x' ? 16 : prefix == 'o' ? 8 : prefix == 'b' ? 2 : 10;
    size_t at = at_ + (base == 10 ? 0 : 2);
    std::string text = digits(at, base == 16  ? "0123456789abcdefABCDEF"
                                  : base == 8 ? "01234567"
                                  : base == 2 ? "01"
                                              : kDecimal);
    const bool behind_dot = at_ > 0 && source_[at_ - 1] == '.';
    bool is_float = false;
    if (base == 10 && !behind_dot) {
      size_t end = at + 1;
      std::string part;
      if (at < source_.size() && source_[at] == '.' && !(part = digits(end, kDecimal)).empty()) {
        text += "." + part;
        at = end;
        is_float = true;
      }
      if (at < source_.size() && (source_[at] | 0x20) == 'e') {
        const char sign = at + 1 < source_.size() ? source_[at + 1] : '\0';
        const bool has_sign = sign == '-' || sign == '+';
        end = at + (has_sign ? 2 : 1);
        if (!(part = digits(end, kDecimal)).empty()) {
          text += std::string("e") + (has_sign ? sign : '+') + part;
          at = end;
          is_float = true;
        }
      }
    }
    if (!is_float) {
      int64_t value = 0;
      const auto read = std::from_chars(text.data(), text.data() + text.size(), value, base);
      if (text.empty() || read.ec != std::errc()) error("expected an integer below 2^63");
      text = std::to_string(value);
    }
    add(is_float ? TokenKind::kFloat : TokenKind::kInteger, text);
    advance(at - at_);
  }

  void string() {
    const char quote = here();
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) error("a string has no end {}", quote);
    add(TokenKind::kString, unescaped(std::string_view(source_).substr(at_ + 1, end - at_ - 1)));
    advance(end + 1 - at_);
  }

  // Python's escapes; unknown ones stay as they are.
  std::string unescaped(std::string_view text) const {
    std::string out;
    char32_t high = 0;  // the first half of a surrogate pair
    const auto append = [&](char32_t c) {
      if (high != 0 && c >= 0xDC00 && c < 0xE000) c = 0x10000 + ((high - 0xD800) << 10) + (c - 0xDC00);
      else if (high != 0) append_utf8(out, kReplacementCharacter);
      high = c >= 0xD800 && c < 0xDC00 ? c : 0;
      if (high == 0) append_utf8(out, c);
    };
    while (!text.empty()) {
      if (text[0] == '\\' && text.size() > 1) {
        escape(text, append);
        continue;
      }
      const CodePoint point = decode_utf8(text);
      append(point.value);
      text.remove_prefix(point.length);
    }
    if (high != 0) append_utf8(out, kReplacementCharacter);
    return out;
  }

  template <class Append>
  void escape(std::string_view& text, Append&& append) const {
    constexpr std::string_view kNames = "nrtabfv\\'\"", kValues = "\n\r\t\a\b\f\v\\'\"";
    const char c = text[1];
    const size_t simple = kNames.find(c);
    const size_t hex = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    size_t used = 2;
    if (simple != std::string_view::npos) append(static_cast<unsigned char>(kValues[simple]));
    else if (hex > 0) {
      uint32_t value = 0;
      const auto* const begin = text.data() + 2;
      const auto* const end = text.data() + std::min(text.size(), 2 + hex);
      const auto read = std::from_chars(begin, end, value, 16);
      if (read.ptr != begin + hex || value > 0x10FFFF) error("expected {} hexadecimal digits behind \\{}", hex, c);
      append(value);
      used += hex;
    } else if (c >= '0' && c <= '7') {
      char32_t value = 0;
      for (used = 1; used < 4 && used < text.size() && text[used] >= '0' && text[used] <= '7'; ++used)
        value = value * 8 + static_cast<char32_t>(text[used] - '0');
      append(value);
    } else if (c == 'N') error("\\N escapes are not supported");
    else if (c != '\n') {  // a backslash at a line's end is dropped with it
      append('\\');
      used = 1;
    }
    text.remove_prefix(used);
  }

  const std::string source_;
  const std::string& name_;
  size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize_template(std::string_view source, const std::string& name) {
  return Lexer(source, name).run();
}

}  // namespace heed::text::jinja
