// A Jinja template cut into tokens, with the white space of Jinja's settings trim_blocks and lstrip_blocks (those of
// transformers' chat templates): the line end behind a block is removed, and so are blanks before a block that begins
// its line; "-" at a tag's inner edge removes all white space outside of it, "+" nothing. Pure.
// Source: the Jinja documentation, "Whitespace Control" and "Expressions" (3.1).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace heed::text::jinja {

enum class TokenKind : unsigned char {
  kText,        // what is written as it is
  kBlockBegin,  // {%
  kBlockEnd,    // %}
  kPrintBegin,  // {{
  kPrintEnd,    // }}
  kName,
  kString,   // its text without quotes and escapes
  kInteger,  // decimal
  kFloat,
  kOperator,
  kEnd
};

struct Token {
  TokenKind kind;
  std::string text;
  int line;
};

// The last token is kEnd. `name` is what messages call the template. Throws FormatError naming the line.
std::vector<Token> tokenize_template(std::string_view source, const std::string& name);

}  // namespace heed::text::jinja
