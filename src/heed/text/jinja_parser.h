// Jinja source to a syntax tree: the statements if, for, set, macro, with, filter, generation, break, continue and raw,
// and all expressions. Nesting is bounded. Pure.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "heed/text/jinja_lexer.h"
#include "heed/text/jinja_syntax.h"

namespace heed::text::jinja {

// Throws FormatError naming `name` and the line; also for statements that are not supported (include, extends, …).
Body parse_template(std::string_view source, const std::string& name);

// The tokens of a template and a place among them. Shared by the parsers of statements and expressions.
class TokenStream {
 public:
  TokenStream(std::vector<Token> tokens, std::string name) : tokens_(std::move(tokens)), name_(std::move(name)) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }  // stays at the end

  bool at(TokenKind kind) const { return current().kind == kind; }
  bool at_operator(std::string_view op) const { return at(TokenKind::kOperator) && current().text == op; }
  bool at_name(std::string_view word) const { return at(TokenKind::kName) && current().text == word; }
  bool skip_operator(std::string_view op);
  bool skip_name(std::string_view word);
  void expect_operator(std::string_view op);
  void expect_name(std::string_view word);
  void expect(TokenKind kind, std::string_view what);
  std::string take_name(std::string_view what);

  template <class... Args>
  [[noreturn]] void error(fmt::format_string<Args...> format, Args&&... args) const {
    fail<FormatError>("{}: line {}: {}", name_, current().line, fmt::format(format, std::forward<Args>(args)...));
  }
  std::string described() const;  // the current token, for messages

 private:
  std::vector<Token> tokens_;
  std::string name_;
  size_t at_ = 0;
};

// The grammar of expressions, by recursive descent; each function takes one level of precedence.
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  ExpressionPtr expression() { return conditional(true); }
  // Also "a, b" without parentheses. `with_condition`: whether "x if y" belongs to it.
  ExpressionPtr tuple(bool with_condition);
  // name(arguments) | name … of a filter block.
  ExpressionPtr filters_of_block();

 private:
  ExpressionPtr conditional(bool with_condition);
  ExpressionPtr either();
  ExpressionPtr both();
  ExpressionPtr negation();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr concatenation();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr unary(bool with_filters);
  ExpressionPtr primary();
  ExpressionPtr parenthesised();
  ExpressionPtr list();
  ExpressionPtr dict();
  ExpressionPtr postfix(ExpressionPtr node);
  ExpressionPtr filters(ExpressionPtr node);
  ExpressionPtr attribute(ExpressionPtr node);
  ExpressionPtr subscript(ExpressionPtr node);
  ExpressionPtr call(ExpressionPtr node);
  ExpressionPtr filter(ExpressionPtr node);
  ExpressionPtr test(ExpressionPtr node);
  void arguments(Expression& node);
  ExpressionPtr binary(ExpressionKind kind, std::string op, ExpressionPtr left, ExpressionPtr right);
  std::unique_ptr<Expression> node(ExpressionKind kind) const;
  ExpressionPtr finished(std::unique_ptr<Expression> node) const;

  TokenStream& tokens_;
  int nesting_ = 0;
};

}  // namespace heed::text::jinja
