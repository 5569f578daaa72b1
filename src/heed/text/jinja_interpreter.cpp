#include "heed/text/jinja_interpreter.h"

#include <algorithm>
#include <deque>

#include "heed/text/jinja_filters.h"
#include "heed/text/jinja_globals.h"
#include "heed/text/jinja_operators.h"

namespace heed::text::jinja {
namespace {

constexpr uint64_t kStep = 32;  // what a statement or an expression is charged

enum class Flow : uint8_t { kOn, kBreak, kContinue };

// Variables of one block. Those that a macro was made in stay until the end, since it may be called from anywhere.
struct Scope {
  Scope* outer = nullptr;
  bool kept = false;
  std::vector<std::pair<std::string, Value>> variables;

  Value* find(const std::string& name) {
    for (auto& [key, value] : variables)
      if (key == name) return &value;
    return nullptr;
  }
  void set(const std::string& name, Value value) {
    if (Value* found = find(name)) *found = std::move(value);
    else variables.emplace_back(name, std::move(value));
  }
};

class Interpreter {
 public:
  explicit Interpreter(Context& context) : context_(context) {}
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;
  ~Interpreter() {
    for (const auto& scope : kept_) scope->variables.clear();
  }

  std::string run(const Body& body, std::vector<std::pair<std::string, Value>> variables) {
    Inner globals(*this);
    scope_->variables = global_functions(context_);
    Inner given(*this);
    scope_->variables = std::move(variables);
    Inner own(*this);
    std::string out;
    execute(body, out);
    return out;
  }

 private:
  // A new innermost scope while it lives.
  class Inner {
   public:
    explicit Inner(Interpreter& interpreter) : Inner(interpreter, interpreter.scope_) {}
    Inner(Interpreter& interpreter, Scope* outer) : interpreter_(interpreter), before_(interpreter.scope_) {
      interpreter_.context_.charge(4 * kStep);
      own_ = std::make_unique<Scope>();
      own_->outer = outer;
      interpreter_.scope_ = own_.get();
    }
    Inner(const Inner&) = delete;
    Inner& operator=(const Inner&) = delete;
    ~Inner() {
      interpreter_.scope_ = before_;
      if (own_->kept) interpreter_.kept_.push_back(std::move(own_));
    }

   private:
    Interpreter& interpreter_;
    Scope* before_;
    std::unique_ptr<Scope> own_;
  };

  Value lookup(const std::string& name) {
    for (Scope* scope = scope_; scope; scope = scope->outer) {
      context_.charge(1 + scope->variables.size() / 8);
      if (const Value* found = scope->find(name)) return *found;
    }
    return Value(Value::Data(Undefined{std::make_shared<const std::string>(name)}));
  }

  // ---- statements ----

  Flow execute(const Body& body, std::string& out) {
    const Nesting guard(context_);
    for (const auto& statement : body) {
      context_.charge(kStep);
      context_.line = statement->line;
      const Flow flow = execute(*statement, out);
      if (flow != Flow::kOn) return flow;
    }
    return Flow::kOn;
  }

  Flow execute(const Statement& s, std::string& out) {
    switch (s.kind) {
      case StatementKind::kText: append(out, s.text); return Flow::kOn;
      case StatementKind::kPrint: append(out, text_of(context_, evaluate(*s.expressions[0]))); return Flow::kOn;
      case StatementKind::kIf: return condition(s, out);
      case StatementKind::kFor: return loop(s, out);
      case StatementKind::kSet: assign(s.target, evaluate(*s.expressions[0])); return Flow::kOn;
      case StatementKind::kSetBlock: {
        Value text = captured(s);
        assign(s.target, s.expressions[0] ? filtered(*s.expressions[0], text) : text);
        return Flow::kOn;
      }
      case StatementKind::kMacro: define(s); return Flow::kOn;
      case StatementKind::kScope: return scope(s, out);
      case StatementKind::kFilter:
        append(out, text_of(context_, filtered(*s.expressions[0], captured(s))));
        return Flow::kOn;
      case StatementKind::kBreak: return Flow::kBreak;
      case StatementKind::kContinue: return Flow::kContinue;
    }
    return Flow::kOn;
  }

  void append(std::string& out, const std::string& text) {
    context_.charge(text.size());
    if (out.size() + text.size() > context_.limits().output) context_.error("the text is too long");
    out += text;
  }

  Flow condition(const Statement& s, std::string& out) {
    for (size_t i = 0; i < s.expressions.size(); ++i)
      if (truth(evaluate(*s.expressions[i]))) return execute(s.bodies[i], out);
    return s.bodies.size() > s.expressions.size() ? execute(s.bodies.back(), out) : Flow::kOn;
  }

  Flow scope(const Statement& s, std::string& out) {
    std::vector<std::pair<std::string, Value>> variables;
    for (size_t i = 0; i < s.expressions.size(); ++i)
      variables.emplace_back(s.target.names[i], evaluate(*s.expressions[i]));
    Inner inner(*this);
    scope_->variables = std::move(variables);
    return execute(s.bodies[0], out);
  }

  Value captured(const Statement& s) {
    Inner inner(*this);
    std::string text;
    execute(s.bodies[0], text);
    return context_.string(std::move(text));
  }

  void assign(const Target& target, const Value& value) {
    if (!target.attribute.empty()) {
      const Value object = lookup(target.names[0]);
      if (!object.name_space()) context_.error("'{}' is no namespace", target.names[0]);
      context_.charge(2 * kStep);
      object.name_space()->attributes.insert_or_assign(target.attribute, value);
      return;
    }
    if (!target.unpack) return scope_->set(target.names[0], value);
    const std::vector<Value> parts = iterate(context_, value);
    if (parts.size() != target.names.size())
      context_.error("expected {} values to unpack, got {}", target.names.size(), parts.size());
    for (size_t i = 0; i < parts.size(); ++i) scope_->set(target.names[i], parts[i]);
  }

  Flow loop(const Statement& s, std::string& out) {
    std::vector<Value> items = iterate(context_, evaluate(*s.expressions[0]));
    if (s.expressions[1]) {
      std::vector<Value> kept;
      for (const Value& value : items) {
        Inner inner(*this);
        assign(s.target, value);
        if (truth(evaluate(*s.expressions[1]))) kept.push_back(value);
      }
      items = std::move(kept);
    }
    if (items.empty()) {
      Inner inner(*this);
      return execute(s.bodies[1], out);
    }
    const Value state = context_.loop(std::move(items));
    // The one place where a loop's state changes; templates see it by `loop` only.
    auto& place = const_cast<Loop*>(state.loop())->index;
    Flow flow = Flow::kOn;
    for (size_t i = 0; i < state.loop()->items.size() && flow != Flow::kBreak; ++i) {
      place = i;
      Inner inner(*this);
      scope_->set("loop", state);
      assign(s.target, state.loop()->items[i]);
      flow = execute(s.bodies[0], out);
    }
    return Flow::kOn;
  }

  void define(const Statement& macro) {
    for (Scope* scope = scope_; scope && !scope->kept; scope = scope->outer) scope->kept = true;
    Scope* const home = scope_;
    scope_->set(macro.text, context_.function(macro.text, [this, &macro, home](const Arguments& arguments) {
      return call(macro, home, arguments);
    }));
  }

  Value call(const Statement& macro, Scope* home, const Arguments& arguments) {
    const Nesting guard(context_);
    const auto& parameters = macro.parameters;
    if (arguments.positional.size() > parameters.size())
      context_.error("macro '{}' takes at most {} arguments, got {}", macro.text, parameters.size(),
                     arguments.positional.size());
    for (const auto& entry : arguments.named)
      if (std::none_of(parameters.begin(), parameters.end(), [&](const auto& p) { return p.name == entry.first; }))
        context_.error("macro '{}' has no parameter '{}'", macro.text, entry.first);
    const int line = context_.line;
    Inner inner(*this, home);
    for (size_t i = 0; i < parameters.size(); ++i) {
      const Value* given = arguments.find(i, parameters[i].name);
      if (given) scope_->set(parameters[i].name, *given);
      else scope_->set(parameters[i].name, parameters[i].otherwise ? evaluate(*parameters[i].otherwise) : Value());
    }
    std::string text;
    execute(macro.bodies[0], text);
    context_.line = line;
    return context_.string(std::move(text));
  }

  // ---- expressions ----

  Value evaluate(const Expression& e) {
    using enum ExpressionKind;
    const Nesting guard(context_);
    context_.charge(kStep);
    context_.line = e.line;
    switch (e.kind) {
      case kConstant: return e.value;
      case kName: return lookup(e.name);
      case kList: return context_.list(all(e, 0));
      case kTuple: return context_.list(all(e, 0), ListKind::kTuple);
      case kDict: return dict(e);
      case kAttribute: return attribute(context_, evaluate(*e.children[0]), e.name);
      case kItem: return indexed(e);
      case kSlice: return sliced(e);
      case kCall: return called(e);
      case kFilter: return filtered(e, Value());
      case kTest: return tested(e);
      case kNegative: return negative(context_, evaluate(*e.children[0]));
      case kPositive: return arithmetic(context_, "+", Value(int64_t{0}), evaluate(*e.children[0]));
      case kNot: return Value(!truth(evaluate(*e.children[0])));
      case kAnd:
      case kOr: {
        Value left = evaluate(*e.children[0]);
        return truth(left) == (e.kind == kOr) ? left : evaluate(*e.children[1]);
      }
      case kArithmetic: return combined(e);
      case kComparison: return compared(e);
      case kConcat: return joined(e);
      case kConditional: {
        const size_t taken = truth(evaluate(*e.children[0])) ? 1 : 2;
        return e.children[taken] ? evaluate(*e.children[taken]) : Value();
      }
    }
    return {};
  }

  std::vector<Value> all(const Expression& e, size_t from) {
    std::vector<Value> values;
    for (size_t i = from; i < e.children.size(); ++i) values.push_back(evaluate(*e.children[i]));
    return values;
  }

  Arguments arguments(const Expression& e) {
    Arguments out;
    out.positional = all(e, 1);
    for (const auto& [name, value] : e.named) out.named.emplace_back(name, evaluate(*value));
    return out;
  }

  Value dict(const Expression& e) {
    std::vector<std::pair<Value, Value>> entries;
    for (size_t i = 0; i < e.children.size(); i += 2) {
      Value key = evaluate(*e.children[i]);
      entries.emplace_back(std::move(key), evaluate(*e.children[i + 1]));
    }
    return context_.dict(std::move(entries));
  }

  Value indexed(const Expression& e) {
    const Value object = evaluate(*e.children[0]), key = evaluate(*e.children[1]);
    return item(context_, object, key);
  }

  Value sliced(const Expression& e) {
    const auto bound = [&](size_t i) { return e.children[i] ? evaluate(*e.children[i]) : Value(None()); };
    const Value object = evaluate(*e.children[0]), begin = bound(1), end = bound(2), step = bound(3);
    return slice(context_, object, begin, end, step);
  }

  Value called(const Expression& e) {
    const Value function = evaluate(*e.children[0]);
    if (!function.callable()) {
      const Expression& callee = *e.children[0];
      if (function.is_undefined())
        context_.error("'{}' is undefined or not supported, and cannot be called", callee.name);
      context_.error("a {} cannot be called", function.type_name());
    }
    const Arguments given = arguments(e);
    context_.line = e.line;
    return function.callable()->call(given);
  }

  // `block`: what the innermost filter of a filter block is given.
  Value filtered(const Expression& e, const Value& block) {
    const ExpressionPtr& inner = e.children[0];
    Value value = block;
    if (inner) value = inner->kind == ExpressionKind::kFilter ? filtered(*inner, block) : evaluate(*inner);
    const Arguments given = arguments(e);
    context_.line = e.line;
    return apply_filter(context_, e.name, value, given);
  }

  Value tested(const Expression& e) {
    const Value value = evaluate(*e.children[0]);
    const Arguments given = arguments(e);
    context_.line = e.line;
    return Value(apply_test(context_, e.name, value, given));
  }

  Value combined(const Expression& e) {
    const Value left = evaluate(*e.children[0]), right = evaluate(*e.children[1]);
    context_.line = e.line;
    return arithmetic(context_, e.name, left, right);
  }

  Value compared(const Expression& e) {
    Value left = evaluate(*e.children[0]);
    for (size_t i = 0; i < e.operators.size(); ++i) {
      Value right = evaluate(*e.children[i + 1]);
      context_.line = e.line;
      if (!compare(context_, e.operators[i], left, right)) return Value(false);
      left = std::move(right);
    }
    return Value(true);
  }

  Value joined(const Expression& e) {
    std::string text;
    for (const ExpressionPtr& child : e.children) text += text_of(context_, evaluate(*child));
    return context_.string(std::move(text));
  }

  Context& context_;
  Scope* scope_ = nullptr;
  std::vector<std::unique_ptr<Scope>> kept_;
};

}  // namespace

std::string render(Context& context, const Body& body, std::vector<std::pair<std::string, Value>> variables) {
  return Interpreter(context).run(body, std::move(variables));
}

}  // namespace heed::text::jinja
