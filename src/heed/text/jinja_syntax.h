// The syntax tree of a template: plain data, made by jinja_parser.h, run by jinja_interpreter.h. Immutable once parsed.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "heed/text/jinja_values.h"

namespace heed::text::jinja {

struct Expression;
struct Statement;
using ExpressionPtr = std::unique_ptr<const Expression>;
using Body = std::vector<std::unique_ptr<const Statement>>;

enum class ExpressionKind : uint8_t {
  kConstant,     // value
  kName,         // name
  kList,         // children
  kTuple,        // children
  kDict,         // children: key, value, key, value …
  kAttribute,    // child.name
  kItem,         // child[child]
  kSlice,        // child[child:child:child], absent ones null
  kCall,         // child(children, named)
  kFilter,       // child | name(children, named); the first child is null in a filter block
  kTest,         // child is name(children, named)
  kNegative,     // -child
  kPositive,     // +child
  kNot,          // not child
  kAnd,          // child and child
  kOr,           // child or child
  kArithmetic,   // child name child
  kComparison,   // child operators[0] child operators[1] child …
  kConcat,       // child ~ child ~ …
  kConditional,  // child if child else child (null: undefined); in the order condition, yes, no
};

struct Expression {
  ExpressionKind kind;
  int line;
  int depth = 1;  // levels of nested expressions
  std::string name;
  Value value;
  std::vector<ExpressionPtr> children;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  std::vector<std::string> operators;
};

// What `set` and `for` give a value to: a name, several (unpacked), or an attribute of a namespace.
struct Target {
  std::vector<std::string> names;
  bool unpack = false;
  std::string attribute;  // of the namespace names[0]; empty: none
};

enum class StatementKind : uint8_t {
  kText,      // text
  kPrint,     // {{ expressions[0] }}
  kIf,        // expressions[i]: bodies[i]; one more body: else
  kFor,       // target in expressions[0] if expressions[1] (or null): bodies[0], else bodies[1]
  kSet,       // target = expressions[0]
  kSetBlock,  // target = bodies[0], through the filter expressions[0] (or null)
  kMacro,     // text(parameters): bodies[0]
  kScope,     // with: names[i] = expressions[i]: bodies[0]; generation: no names
  kFilter,    // bodies[0] through expressions[0]
  kBreak,
  kContinue,
};

struct Parameter {
  std::string name;
  ExpressionPtr otherwise;  // null: undefined
};

struct Statement {
  StatementKind kind;
  int line;
  std::string text;
  Target target;
  std::vector<ExpressionPtr> expressions;
  std::vector<Body> bodies;
  std::vector<Parameter> parameters;
};

}  // namespace heed::text::jinja
