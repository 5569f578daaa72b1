#include "heed/text/jinja_operators.h"

#include <algorithm>
#include <cmath>

#include "heed/text/jinja_methods.h"

namespace heed::text::jinja {
namespace {

[[noreturn]] void unsupported(Context& context, std::string_view op, const Value& a, const Value& b) {
  context.error("unsupported operands of '{}': {} and {}", op, a.type_name(), b.type_name());
}

int64_t floor_divide(int64_t a, int64_t b) { return a / b - ((a % b != 0 && (a % b < 0) != (b < 0)) ? 1 : 0); }

int64_t power(Context& context, int64_t base, int64_t exponent) {
  int64_t result = 1;
  if (base == 0 || base == 1) return exponent == 0 ? 1 : base;
  if (base == -1) return exponent % 2 == 0 ? 1 : -1;
  for (; exponent > 0; --exponent)  // at most 62 times before it overflows
    if (__builtin_mul_overflow(result, base, &result)) context.error("an integer does not fit 64 bits");
  return result;
}

Value integers(Context& context, std::string_view op, int64_t a, int64_t b) {
  int64_t result = 0;
  bool overflow = false;
  if (op == "+") overflow = __builtin_add_overflow(a, b, &result);
  else if (op == "-") overflow = __builtin_sub_overflow(a, b, &result);
  else if (op == "*") overflow = __builtin_mul_overflow(a, b, &result);
  else if (op == "**") {
    if (b < 0) return Value(std::pow(static_cast<double>(a), static_cast<double>(b)));
    return Value(power(context, a, b));
  } else {
    if (b == 0) context.error("division by zero");
    if (op == "/") return Value(static_cast<double>(a) / static_cast<double>(b));
    overflow = a == INT64_MIN && b == -1;
    if (!overflow) result = op == "//" ? floor_divide(a, b) : a - floor_divide(a, b) * b;
  }
  if (overflow) context.error("an integer does not fit 64 bits");
  return Value(result);
}

Value reals(Context& context, std::string_view op, double a, double b) {
  if (op == "+") return Value(a + b);
  if (op == "-") return Value(a - b);
  if (op == "*") return Value(a * b);
  if (op == "**") return Value(std::pow(a, b));
  if (b == 0) context.error("division by zero");
  if (op == "/") return Value(a / b);
  if (op == "//") return Value(std::floor(a / b));
  const double rest = std::fmod(a, b);
  return Value(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
}

// text * n and list * n.
Value repeated(Context& context, const Value& value, int64_t times) {
  const auto count = static_cast<uint64_t>(std::max<int64_t>(times, 0));
  const uint64_t size = value.string() ? value.string()->size() : value.list()->items.size() * 32;
  if (size > 0 && count > context.limits().work / size) context.error("a repetition is too long");
  context.charge(size * count);
  if (value.string()) {
    std::string text;
    for (uint64_t i = 0; size > 0 && i < count; ++i) text += *value.string();
    return context.string(std::move(text));
  }
  std::vector<Value> items;
  for (uint64_t i = 0; size > 0 && i < count; ++i)
    items.insert(items.end(), value.list()->items.begin(), value.list()->items.end());
  return context.list(std::move(items), value.list()->kind);
}

bool is_row(const Value& value) { return value.list() && value.list()->kind != ListKind::kGenerator; }

}  // namespace

Value arithmetic(Context& context, std::string_view op, const Value& a, const Value& b) {
  if (const auto i = as_integer(a), j = as_integer(b); i && j) return integers(context, op, *i, *j);
  if (const auto x = as_number(a), y = as_number(b); x && y) return reals(context, op, *x, *y);
  if (op == "+") {
    if (a.string() && b.string()) {
      context.charge(a.string()->size() + b.string()->size());
      return context.string(*a.string() + *b.string());
    }
    if (is_row(a) && is_row(b) && a.list()->kind == b.list()->kind) {
      context.charge((a.list()->items.size() + b.list()->items.size()) * 32);
      std::vector<Value> items = a.list()->items;
      items.insert(items.end(), b.list()->items.begin(), b.list()->items.end());
      return context.list(std::move(items), a.list()->kind);
    }
  }
  if (op == "*" && (a.string() || is_row(a)) && as_integer(b)) return repeated(context, a, *as_integer(b));
  if (op == "*" && (b.string() || is_row(b)) && as_integer(a)) return repeated(context, b, *as_integer(a));
  if (op == "%" && a.string()) {
    const bool tuple = b.list() && b.list()->kind == ListKind::kTuple;
    return context.string(format_percent(context, *a.string(), tuple ? b.list()->items : std::vector<Value>{b}));
  }
  if (a.is_undefined() || b.is_undefined()) {
    const auto& name = std::get<Undefined>((a.is_undefined() ? a : b).data()).name;
    context.error("'{}' is undefined", name ? *name : "the value");
  }
  unsupported(context, op, a, b);
}

bool compare(Context& context, std::string_view op, const Value& a, const Value& b) {
  if (op == "==") return equal(context, a, b);
  if (op == "!=") return !equal(context, a, b);
  if (op == "in") return contains(context, b, a);
  if (op == "not in") return !contains(context, b, a);
  if (op == "<") return less(context, a, b);
  if (op == ">") return less(context, b, a);
  return less(context, op == "<=" ? a : b, op == "<=" ? b : a) || equal(context, a, b);
}

Value negative(Context& context, const Value& value) {
  if (const auto* r = value.real()) return Value(-*r);
  if (!as_integer(value)) context.error("unsupported operand of '-': {}", value.type_name());
  return integers(context, "-", 0, *as_integer(value));
}

}  // namespace heed::text::jinja
