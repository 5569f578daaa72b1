#include <cmath>
#include <map>

#include "heed/text/jinja_filters.h"
#include "heed/text/jinja_methods.h"
#include "heed/text/python_text.h"

namespace heed::text::jinja {
namespace {

struct Call {
  Context& context;
  const Value& value;
  const Arguments& arguments;

  const Value& other() const { return Reader(context, "test", arguments).require(0, "other"); }
  int64_t modulo(int64_t by) const {
    const auto number = as_integer(value);
    if (!number) context.error("expected an int, got {}", value.type_name());
    if (by == 0) context.error("division by zero");
    return by == -1 ? 0 : *number % by;
  }
};

using Test = bool (*)(const Call&);

bool is_sequence(const Value& v) {
  return v.is_undefined() || v.string() || v.dict() || (v.list() && v.list()->kind != ListKind::kGenerator);
}

// Python's `is`, as far as values of a template can tell.
bool same(const Value& a, const Value& b) {
  if (a.data().index() != b.data().index()) return false;
  if (a.boolean()) return *a.boolean() == *b.boolean();
  if (a.integer()) return *a.integer() == *b.integer();
  if (a.real()) return *a.real() == *b.real();
  if (a.string()) return *a.string() == *b.string();
  return a.list() == b.list() && a.dict() == b.dict() && a.name_space() == b.name_space() &&
         a.callable() == b.callable() && a.loop() == b.loop();
}

int64_t divisor(const Call& c) {
  const auto by = as_integer(c.other());
  if (!by) c.context.error("expected an int, got {}", c.other().type_name());
  return *by;
}

using Tests = std::map<std::string_view, Test>;

const Tests& tests() {
  static const Test kEqual = [](const Call& c) { return equal(c.context, c.value, c.other()); };
  static const Test kUnequal = [](const Call& c) { return !equal(c.context, c.value, c.other()); };
  static const Test kLess = [](const Call& c) { return less(c.context, c.value, c.other()); };
  static const Test kGreater = [](const Call& c) { return less(c.context, c.other(), c.value); };
  static const Test kAtMost = [](const Call& c) {
    return less(c.context, c.value, c.other()) || equal(c.context, c.value, c.other());
  };
  static const Test kAtLeast = [](const Call& c) {
    return less(c.context, c.other(), c.value) || equal(c.context, c.value, c.other());
  };
  static const Tests kTests = {
      {"defined", [](const Call& c) { return !c.value.is_undefined(); }},
      {"undefined", [](const Call& c) { return c.value.is_undefined(); }},
      {"none", [](const Call& c) { return c.value.is_none(); }},
      {"boolean", [](const Call& c) { return c.value.boolean() != nullptr; }},
      {"true", [](const Call& c) { return c.value.boolean() && *c.value.boolean(); }},
      {"false", [](const Call& c) { return c.value.boolean() && !*c.value.boolean(); }},
      {"integer", [](const Call& c) { return c.value.integer() != nullptr; }},
      {"float", [](const Call& c) { return c.value.real() != nullptr; }},
      {"number", [](const Call& c) { return as_number(c.value).has_value(); }},
      {"string", [](const Call& c) { return c.value.string() != nullptr; }},
      {"mapping", [](const Call& c) { return c.value.dict() != nullptr; }},
      {"sequence", [](const Call& c) { return is_sequence(c.value); }},
      {"iterable", [](const Call& c) { return is_sequence(c.value) || c.value.list() || c.value.loop(); }},
      {"callable", [](const Call& c) { return c.value.callable() != nullptr; }},
      {"odd", [](const Call& c) { return c.modulo(2) != 0; }},
      {"even", [](const Call& c) { return c.modulo(2) == 0; }},
      {"divisibleby", [](const Call& c) { return c.modulo(divisor(c)) == 0; }},
      {"lower", [](const Call& c) { return python_is_lower(text_of(c.context, c.value)); }},
      {"upper", [](const Call& c) { return python_is_upper(text_of(c.context, c.value)); }},
      {"in", [](const Call& c) { return contains(c.context, c.other(), c.value); }},
      {"sameas", [](const Call& c) { return same(c.value, c.other()); }},
      {"eq", kEqual},
      {"equalto", kEqual},
      {"==", kEqual},
      {"ne", kUnequal},
      {"!=", kUnequal},
      {"lt", kLess},
      {"lessthan", kLess},
      {"<", kLess},
      {"gt", kGreater},
      {"greaterthan", kGreater},
      {">", kGreater},
      {"le", kAtMost},
      {"<=", kAtMost},
      {"ge", kAtLeast},
      {">=", kAtLeast}};
  return kTests;
}

}  // namespace

bool apply_test(Context& context, const std::string& name, const Value& value, const Arguments& arguments) {
  const auto found = tests().find(name);
  if (found == tests().end()) context.error("there is no test '{}'", name);
  return found->second({context, value, arguments});
}

}  // namespace heed::text::jinja
