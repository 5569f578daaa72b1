#include "heed/text/jinja_parser.h"

#include <algorithm>

namespace heed::text::jinja {
namespace {

using enum StatementKind;
constexpr int kMaxNesting = 60;  // of blocks

class StatementParser {
 public:
  explicit StatementParser(TokenStream& tokens) : tokens_(tokens), expressions_(tokens) {}

  Body run() {
    Body body = statements({});
    if (!tokens_.at(TokenKind::kEnd)) tokens_.error("unexpected {}", tokens_.described());
    return body;
  }

 private:
  using StatementPtr = std::unique_ptr<Statement>;

  StatementPtr made(StatementKind kind) const {
    auto statement = std::make_unique<Statement>();
    statement->kind = kind;
    statement->line = tokens_.current().line;
    return statement;
  }

  // Up to a block whose name is one of `ends`, which is left standing behind its `{%`; or to the template's end.
  Body statements(std::initializer_list<std::string_view> ends) {
    if (++nesting_ > kMaxNesting) tokens_.error("blocks are nested more than {} deep", kMaxNesting);
    const int opened = block_line_;
    Body body;
    while (true) {
      if (tokens_.at(TokenKind::kEnd)) {
        if (ends.size() > 0) tokens_.error("the block of line {} has no '{}'", opened, *(ends.end() - 1));
        break;
      }
      if (tokens_.at(TokenKind::kText)) {
        body.push_back(text());
      } else if (tokens_.at(TokenKind::kPrintBegin)) {
        body.push_back(print());
      } else {
        tokens_.expect(TokenKind::kBlockBegin, "a block");
        const bool is_end =
            tokens_.at(TokenKind::kName) && std::find(ends.begin(), ends.end(), tokens_.current().text) != ends.end();
        if (is_end) break;
        block_line_ = tokens_.current().line;
        body.push_back(block());
      }
    }
    --nesting_;
    return body;
  }

  // statements() up to `end` and past that block.
  Body body_until(std::string_view end) {
    Body body = statements({end});
    tokens_.take();
    end_block();
    return body;
  }

  void end_block() { tokens_.expect(TokenKind::kBlockEnd, "'%}'"); }

  StatementPtr text() {
    StatementPtr statement = made(kText);
    statement->text = tokens_.take().text;
    return statement;
  }

  StatementPtr print() {
    StatementPtr statement = made(kPrint);
    tokens_.take();
    statement->expressions.push_back(expressions_.tuple(true));
    tokens_.expect(TokenKind::kPrintEnd, "'}}'");
    return statement;
  }

  StatementPtr block() {
    const std::string name = tokens_.take_name("a statement");
    if (name == "if") return condition();
    if (name == "for") return loop();
    if (name == "set") return assignment();
    if (name == "macro") return macro();
    if (name == "with") return with();
    if (name == "generation") return scope("endgeneration");
    if (name == "filter") return filter();
    if (name == "break" || name == "continue") return jump(name == "break" ? kBreak : kContinue);
    tokens_.error("the statement '{}' is not supported", name);
  }

  StatementPtr condition() {
    StatementPtr statement = made(kIf);
    while (true) {
      statement->expressions.push_back(expressions_.tuple(false));
      end_block();
      statement->bodies.push_back(statements({"elif", "else", "endif"}));
      const std::string next = tokens_.take().text;
      if (next == "elif") continue;
      if (next == "else") {
        end_block();
        statement->bodies.push_back(statements({"endif"}));
        tokens_.take();
      }
      end_block();
      return statement;
    }
  }

  Target target(bool with_namespace) {
    Target result;
    const bool parenthesised = tokens_.skip_operator("(");
    result.names.push_back(tokens_.take_name("a variable's name"));
    if (with_namespace && tokens_.skip_operator(".")) {
      result.attribute = tokens_.take_name("an attribute's name");
      if (result.attribute.starts_with('_'))
        tokens_.error("a namespace cannot hold '{}': names may not begin with '_'", result.attribute);
    }
    while (result.attribute.empty() && tokens_.skip_operator(",")) {
      result.unpack = true;
      if (tokens_.at(TokenKind::kName) && !tokens_.at_name("in"))
        result.names.push_back(tokens_.take_name("a variable's name"));
      else break;
    }
    if (parenthesised) tokens_.expect_operator(")");
    for (const std::string& name : result.names) {
      static constexpr std::string_view kReserved[] = {"true", "false", "none", "True", "False", "None"};
      if (std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved))
        tokens_.error("'{}' cannot be assigned to", name);
    }
    return result;
  }

  StatementPtr loop() {
    StatementPtr statement = made(kFor);
    statement->target = target(false);
    tokens_.expect_name("in");
    statement->expressions.push_back(expressions_.tuple(false));
    statement->expressions.push_back(tokens_.skip_name("if") ? expressions_.expression() : nullptr);
    if (tokens_.at_name("recursive")) tokens_.error("recursive loops are not supported");
    end_block();
    ++loops_;
    statement->bodies.push_back(statements({"else", "endfor"}));
    --loops_;
    Body otherwise;
    if (tokens_.take().text == "else") {
      end_block();
      otherwise = statements({"endfor"});
      tokens_.take();
    }
    end_block();
    statement->bodies.push_back(std::move(otherwise));
    return statement;
  }

  StatementPtr jump(StatementKind kind) {
    if (loops_ == 0) tokens_.error("break and continue belong into a loop");
    StatementPtr statement = made(kind);
    end_block();
    return statement;
  }

  StatementPtr assignment() {
    StatementPtr statement = made(kSet);
    statement->target = target(true);
    if (tokens_.skip_operator("=")) {
      statement->expressions.push_back(expressions_.tuple(true));
      end_block();
      return statement;
    }
    statement->kind = kSetBlock;
    statement->expressions.push_back(tokens_.skip_operator("|") ? expressions_.filters_of_block() : nullptr);
    end_block();
    statement->bodies.push_back(own_scope("endset"));
    return statement;
  }

  // The body of what is rendered by itself: break and continue cannot leave it.
  Body own_scope(std::string_view end) {
    const int outer = std::exchange(loops_, 0);
    Body body = body_until(end);
    loops_ = outer;
    return body;
  }

  StatementPtr macro() {
    StatementPtr statement = made(kMacro);
    statement->text = tokens_.take_name("a macro's name");
    tokens_.expect_operator("(");
    while (!tokens_.skip_operator(")")) {
      Parameter parameter{tokens_.take_name("a parameter's name"), nullptr};
      if (tokens_.skip_operator("=")) parameter.otherwise = expressions_.expression();
      else if (!statement->parameters.empty() && statement->parameters.back().otherwise)
        tokens_.error("a parameter without a default follows one with a default");
      statement->parameters.push_back(std::move(parameter));
      if (!tokens_.at_operator(")")) tokens_.expect_operator(",");
    }
    end_block();
    statement->bodies.push_back(own_scope("endmacro"));
    return statement;
  }

  StatementPtr with() {
    StatementPtr statement = made(kScope);
    while (!tokens_.at(TokenKind::kBlockEnd)) {
      statement->target.names.push_back(tokens_.take_name("a variable's name"));
      tokens_.expect_operator("=");
      statement->expressions.push_back(expressions_.expression());
      if (!tokens_.at(TokenKind::kBlockEnd)) tokens_.expect_operator(",");
    }
    end_block();
    statement->bodies.push_back(body_until("endwith"));
    return statement;
  }

  StatementPtr scope(std::string_view end) {
    StatementPtr statement = made(kScope);
    end_block();
    statement->bodies.push_back(own_scope(end));
    return statement;
  }

  StatementPtr filter() {
    StatementPtr statement = made(kFilter);
    statement->expressions.push_back(expressions_.filters_of_block());
    end_block();
    statement->bodies.push_back(own_scope("endfilter"));
    return statement;
  }

  TokenStream& tokens_;
  ExpressionParser expressions_;
  int nesting_ = 0;
  int loops_ = 0;
  int block_line_ = 1;  // of the block that was begun last
};

}  // namespace

bool TokenStream::skip_operator(std::string_view op) {
  if (!at_operator(op)) return false;
  take();
  return true;
}

bool TokenStream::skip_name(std::string_view word) {
  if (!at_name(word)) return false;
  take();
  return true;
}

void TokenStream::expect_operator(std::string_view op) {
  if (!skip_operator(op)) error("expected '{}', got {}", op, described());
}

void TokenStream::expect_name(std::string_view word) {
  if (!skip_name(word)) error("expected '{}', got {}", word, described());
}

void TokenStream::expect(TokenKind kind, std::string_view what) {
  if (!at(kind)) error("expected {}, got {}", what, described());
  take();
}

std::string TokenStream::take_name(std::string_view what) {
  if (!at(TokenKind::kName)) error("expected {}, got {}", what, described());
  return take().text;
}

std::string TokenStream::described() const {
  switch (current().kind) {
    case TokenKind::kText: return "text";
    case TokenKind::kBlockBegin: return "'{%'";
    case TokenKind::kBlockEnd: return "'%}'";
    case TokenKind::kPrintBegin: return "'{{'";
    case TokenKind::kPrintEnd: return "'}}'";
    case TokenKind::kEnd: return "the template's end";
    default: return fmt::format("'{}'", current().text.substr(0, 40));
  }
}

Body parse_template(std::string_view source, const std::string& name) {
  TokenStream tokens(tokenize_template(source, name), name);
  return StatementParser(tokens).run();
}

}  // namespace heed::text::jinja
