#include <algorithm>
#include <array>
#include <charconv>

#include "heed/text/jinja_parser.h"

namespace heed::text::jinja {
namespace {

using enum ExpressionKind;
constexpr int kMaxNesting = 100;  // of brackets and operators within operators

}  // namespace

std::unique_ptr<Expression> ExpressionParser::node(ExpressionKind kind) const {
  auto made = std::make_unique<Expression>();
  made->kind = kind;
  made->line = tokens_.current().line;
  return made;
}

ExpressionPtr ExpressionParser::finished(std::unique_ptr<Expression> made) const {
  int depth = 0;
  for (const ExpressionPtr& child : made->children) depth = std::max(depth, child ? child->depth : 0);
  for (const auto& entry : made->named) depth = std::max(depth, entry.second->depth);
  made->depth = depth + 1;
  if (depth >= 4 * kMaxNesting) tokens_.error("an expression has too many parts");
  return made;
}

ExpressionPtr ExpressionParser::binary(ExpressionKind kind, std::string op, ExpressionPtr left, ExpressionPtr right) {
  auto made = node(kind);
  made->name = std::move(op);
  made->children.push_back(std::move(left));
  made->children.push_back(std::move(right));
  return finished(std::move(made));
}

ExpressionPtr ExpressionParser::tuple(bool with_condition) {
  ExpressionPtr first = with_condition ? expression() : either();
  if (!tokens_.at_operator(",")) return first;
  auto made = node(kTuple);
  made->children.push_back(std::move(first));
  while (tokens_.skip_operator(",")) {
    const bool ends = tokens_.at(TokenKind::kBlockEnd) || tokens_.at(TokenKind::kPrintEnd) ||
                      tokens_.at_operator(")") || tokens_.at_operator("]") || tokens_.at_name("in");
    if (ends) break;
    made->children.push_back(with_condition ? expression() : either());
  }
  return finished(std::move(made));
}

ExpressionPtr ExpressionParser::conditional(bool with_condition) {
  if (++nesting_ > kMaxNesting) tokens_.error("an expression is nested too deeply");
  ExpressionPtr value = either();
  while (with_condition && tokens_.at_name("if")) {
    auto made = node(kConditional);
    tokens_.take();
    made->children.push_back(either());
    made->children.push_back(std::move(value));
    made->children.push_back(tokens_.skip_name("else") ? conditional(true) : nullptr);
    value = finished(std::move(made));
  }
  --nesting_;
  return value;
}

ExpressionPtr ExpressionParser::either() {
  ExpressionPtr left = both();
  while (tokens_.skip_name("or")) left = binary(kOr, "", std::move(left), both());
  return left;
}

ExpressionPtr ExpressionParser::both() {
  ExpressionPtr left = negation();
  while (tokens_.skip_name("and")) left = binary(kAnd, "", std::move(left), negation());
  return left;
}

ExpressionPtr ExpressionParser::negation() {
  if (!tokens_.at_name("not")) return comparison();
  if (++nesting_ > kMaxNesting) tokens_.error("an expression is nested too deeply");
  auto made = node(kNot);
  tokens_.take();
  made->children.push_back(negation());
  --nesting_;
  return finished(std::move(made));
}

ExpressionPtr ExpressionParser::comparison() {
  static constexpr std::array<std::string_view, 6> kOperators = {"==", "!=", "<", "<=", ">", ">="};
  auto made = node(kComparison);
  made->children.push_back(sum());
  while (true) {
    const bool is_operator = tokens_.at(TokenKind::kOperator) && std::find(kOperators.begin(), kOperators.end(),
                                                                           tokens_.current().text) != kOperators.end();
    const bool not_in =
        tokens_.at_name("not") && tokens_.ahead().kind == TokenKind::kName && tokens_.ahead().text == "in";
    if (!is_operator && !not_in && !tokens_.at_name("in")) break;
    if (not_in) tokens_.take();
    made->operators.push_back((not_in ? "not " : "") + tokens_.take().text);
    made->children.push_back(sum());
  }
  if (made->operators.empty()) return std::move(made->children.front());
  return finished(std::move(made));
}

ExpressionPtr ExpressionParser::sum() {
  ExpressionPtr left = concatenation();
  while (tokens_.at_operator("+") || tokens_.at_operator("-")) {
    std::string op = tokens_.take().text;
    left = binary(kArithmetic, std::move(op), std::move(left), concatenation());
  }
  return left;
}

ExpressionPtr ExpressionParser::concatenation() {
  ExpressionPtr first = product();
  if (!tokens_.at_operator("~")) return first;
  auto made = node(kConcat);
  made->children.push_back(std::move(first));
  while (tokens_.skip_operator("~")) made->children.push_back(product());
  return finished(std::move(made));
}

ExpressionPtr ExpressionParser::product() {
  ExpressionPtr left = power();
  while (tokens_.at_operator("*") || tokens_.at_operator("/") || tokens_.at_operator("//") ||
         tokens_.at_operator("%")) {
    std::string op = tokens_.take().text;
    left = binary(kArithmetic, std::move(op), std::move(left), power());
  }
  return left;
}

ExpressionPtr ExpressionParser::power() {
  ExpressionPtr left = unary(true);
  while (tokens_.skip_operator("**")) left = binary(kArithmetic, "**", std::move(left), unary(true));
  return left;
}

ExpressionPtr ExpressionParser::unary(bool with_filters) {
  ExpressionPtr value;
  const bool minus = tokens_.at_operator("-");
  if (minus || tokens_.at_operator("+")) {
    if (++nesting_ > kMaxNesting) tokens_.error("an expression is nested too deeply");
    auto made = node(minus ? kNegative : kPositive);
    tokens_.take();
    made->children.push_back(unary(false));
    value = finished(std::move(made));
    --nesting_;
  } else {
    value = primary();
  }
  value = postfix(std::move(value));
  return with_filters ? filters(std::move(value)) : std::move(value);
}

ExpressionPtr ExpressionParser::primary() {
  if (tokens_.at_operator("(")) return parenthesised();
  if (tokens_.at_operator("[")) return list();
  if (tokens_.at_operator("{")) return dict();
  auto made = node(kConstant);
  const std::string text = tokens_.current().text;
  switch (tokens_.current().kind) {
    case TokenKind::kName:
      if (text == "true" || text == "True") made->value = Value(true);
      else if (text == "false" || text == "False") made->value = Value(false);
      else if (text == "none" || text == "None") made->value = Value(None());
      else {
        made->kind = kName;
        made->name = text;
      }
      tokens_.take();
      break;
    case TokenKind::kString: {
      std::string joined;  // neighbours are one text
      while (tokens_.at(TokenKind::kString)) joined += tokens_.take().text;
      made->value = Value(std::move(joined));
      break;
    }
    case TokenKind::kInteger: {
      int64_t value = 0;
      std::from_chars(text.data(), text.data() + text.size(), value);
      made->value = Value(value);
      tokens_.take();
      break;
    }
    case TokenKind::kFloat: {
      double value = 0;
      const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
      if (read.ec != std::errc()) tokens_.error("{} is out of range", text);
      made->value = Value(value);
      tokens_.take();
      break;
    }
    default: tokens_.error("expected an expression, got {}", tokens_.described());
  }
  return finished(std::move(made));
}

ExpressionPtr ExpressionParser::parenthesised() {
  auto empty = node(kTuple);
  tokens_.expect_operator("(");
  if (tokens_.skip_operator(")")) return finished(std::move(empty));
  ExpressionPtr inner = tuple(true);
  tokens_.expect_operator(")");
  return inner;
}

ExpressionPtr ExpressionParser::list() {
  auto made = node(kList);
  tokens_.expect_operator("[");
  while (!tokens_.skip_operator("]")) {
    made->children.push_back(expression());
    if (!tokens_.at_operator("]")) tokens_.expect_operator(",");
  }
  return finished(std::move(made));
}

ExpressionPtr ExpressionParser::dict() {
  auto made = node(kDict);
  tokens_.expect_operator("{");
  while (!tokens_.skip_operator("}")) {
    made->children.push_back(expression());
    tokens_.expect_operator(":");
    made->children.push_back(expression());
    if (!tokens_.at_operator("}")) tokens_.expect_operator(",");
  }
  return finished(std::move(made));
}

ExpressionPtr ExpressionParser::postfix(ExpressionPtr value) {
  while (true) {
    if (tokens_.at_operator(".")) value = attribute(std::move(value));
    else if (tokens_.at_operator("[")) value = subscript(std::move(value));
    else if (tokens_.at_operator("(")) value = call(std::move(value));
    else return value;
  }
}

ExpressionPtr ExpressionParser::filters(ExpressionPtr value) {
  while (true) {
    if (tokens_.skip_operator("|")) value = filter(std::move(value));
    else if (tokens_.skip_name("is")) value = test(std::move(value));
    else if (tokens_.at_operator("(")) value = call(std::move(value));
    else return value;
  }
}

ExpressionPtr ExpressionParser::filters_of_block() {
  ExpressionPtr value = filter(nullptr);
  while (tokens_.skip_operator("|")) value = filter(std::move(value));
  return value;
}

ExpressionPtr ExpressionParser::attribute(ExpressionPtr value) {
  tokens_.expect_operator(".");
  auto made = node(kAttribute);
  made->children.push_back(std::move(value));
  if (tokens_.at(TokenKind::kInteger)) {  // a.0 is a[0]
    made->kind = kItem;
    made->children.push_back(primary());
  } else {
    made->name = tokens_.take_name("an attribute's name");
  }
  return finished(std::move(made));
}

ExpressionPtr ExpressionParser::subscript(ExpressionPtr value) {
  auto made = node(kItem);
  made->children.push_back(std::move(value));
  tokens_.expect_operator("[");
  const auto bound = [&]() -> ExpressionPtr {
    return tokens_.at_operator(":") || tokens_.at_operator("]") ? nullptr : expression();
  };
  ExpressionPtr first = bound();
  if (!first && tokens_.at_operator("]")) tokens_.error("expected an index");
  made->children.push_back(std::move(first));
  if (tokens_.at_operator(":")) {
    made->kind = kSlice;
    for (int i = 0; i < 2; ++i) made->children.push_back(tokens_.skip_operator(":") ? bound() : nullptr);
  }
  tokens_.expect_operator("]");
  return finished(std::move(made));
}

void ExpressionParser::arguments(Expression& made) {
  tokens_.expect_operator("(");
  while (!tokens_.skip_operator(")")) {
    if (tokens_.at_operator("*") || tokens_.at_operator("**")) tokens_.error("arguments by * and ** are not supported");
    const bool is_named =
        tokens_.at(TokenKind::kName) && tokens_.ahead().kind == TokenKind::kOperator && tokens_.ahead().text == "=";
    if (is_named) {
      std::string name = tokens_.take().text;
      tokens_.take();
      made.named.emplace_back(std::move(name), expression());
    } else {
      if (!made.named.empty()) tokens_.error("an argument without a name follows one with a name");
      made.children.push_back(expression());
    }
    if (!tokens_.at_operator(")")) tokens_.expect_operator(",");
  }
}

ExpressionPtr ExpressionParser::call(ExpressionPtr value) {
  auto made = node(kCall);
  made->children.push_back(std::move(value));
  arguments(*made);
  return finished(std::move(made));
}

ExpressionPtr ExpressionParser::filter(ExpressionPtr value) {
  auto made = node(kFilter);
  made->children.push_back(std::move(value));
  made->name = tokens_.take_name("a filter's name");
  if (tokens_.at_operator("(")) arguments(*made);
  return finished(std::move(made));
}

ExpressionPtr ExpressionParser::test(ExpressionPtr value) {
  auto made = node(kTest);
  const bool negated = tokens_.skip_name("not");
  made->children.push_back(std::move(value));
  made->name = tokens_.take_name("a test's name");
  using enum TokenKind;
  const Token& next = tokens_.current();
  if (tokens_.at_name("is")) tokens_.error("'is' cannot follow a test");
  const bool value_follows = next.kind == kString || next.kind == kInteger || next.kind == kFloat ||
                             tokens_.at_operator("[") || tokens_.at_operator("{") ||
                             (next.kind == kName && next.text != "else" && next.text != "or" && next.text != "and" &&
                              next.text != "if" && next.text != "recursive" && next.text != "in" && next.text != "not");
  if (tokens_.at_operator("(")) arguments(*made);
  else if (value_follows) made->children.push_back(postfix(primary()));
  ExpressionPtr result = finished(std::move(made));
  if (!negated) return result;
  auto inverse = node(kNot);
  inverse->children.push_back(std::move(result));
  return finished(std::move(inverse));
}

}  // namespace heed::text::jinja
