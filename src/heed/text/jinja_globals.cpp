#include "heed/text/jinja_globals.h"

#include <ctime>

#include "heed/base/utf8.h"
#include "heed/text/jinja_methods.h"

namespace heed::text::jinja {
namespace {

constexpr int64_t kLongestRange = 100000;  // Jinja's own limit in its sandbox

Value range(Context& context, const Arguments& arguments) {
  const Reader in(context, "range", arguments);
  const size_t given = arguments.positional.size();
  if (given < 1 || given > 3 || !arguments.named.empty()) context.error("range: expected 1 to 3 integers");
  for (size_t i = 0; i < given; ++i)
    if (!as_integer(arguments.positional[i])) context.error("range: expected integers");
  const auto at = [&](size_t place) { return *as_integer(arguments.positional[place]); };
  const int64_t begin = given > 1 ? at(0) : 0, end = given > 1 ? at(1) : at(0), step = given > 2 ? at(2) : 1;
  if (step == 0) context.error("range: the step is 0");
  std::vector<Value> items;
  for (int64_t value = begin; step > 0 ? value < end : value > end;) {
    if (static_cast<int64_t>(items.size()) == kLongestRange)
      context.error("range: more than {} numbers", kLongestRange);
    items.emplace_back(value);
    if (__builtin_add_overflow(value, step, &value)) break;
  }
  return context.list(std::move(items));
}

std::vector<std::pair<Value, Value>> entries_of(Context& context, const Arguments& arguments) {
  std::vector<std::pair<Value, Value>> entries;
  if (arguments.positional.size() > 1) context.error("expected at most one dict");
  for (const Value& given : arguments.positional) {
    if (const auto* dict = given.dict()) {
      entries = dict->entries;
      continue;
    }
    for (const Value& pair : iterate(context, given)) {
      const std::vector<Value> two = iterate(context, pair);
      if (two.size() != 2) context.error("expected pairs of key and value");
      entries.emplace_back(two[0], two[1]);
    }
  }
  for (const auto& [name, value] : arguments.named) entries.emplace_back(context.string(name), value);
  return entries;
}

Value name_space(Context& context, const Arguments& arguments) {
  std::unordered_map<std::string, Value> attributes;
  for (auto& [key, value] : entries_of(context, arguments)) {
    if (!key.string()) context.error("namespace: expected names, got {}", key.type_name());
    if (key.string()->starts_with('_'))
      context.error("namespace: names may not begin with '_', got '{}'", *key.string());
    attributes.insert_or_assign(*key.string(), value);
  }
  return context.name_space(std::move(attributes));
}

Value time_now(Context& context, const Arguments& arguments) {
  const std::string format = Reader(context, "strftime_now", arguments).text(0, "format");
  if (format.empty()) return context.string("");
  if (format.size() > 200) context.error("strftime_now: the format is too long");
  std::tm parts{};
  ::localtime_r(&context.now, &parts);
  std::string text(16384, '\0');
  // A last character tells an empty result from one that did not fit.
  text.resize(std::strftime(text.data(), text.size(), (format + "|").c_str(), &parts));
  if (text.empty()) context.error("strftime_now: the format '{}' cannot be written", format);
  text.pop_back();
  return context.string(to_valid_utf8(text));
}

}  // namespace

std::vector<std::pair<std::string, Value>> global_functions(Context& context) {
  std::vector<std::pair<std::string, Value>> functions;
  const auto add = [&](const char* name, auto function) {
    functions.emplace_back(
        name, context.function(name, [&context, function](const Arguments& a) { return function(context, a); }));
  };
  add("range", range);
  add("dict", [](Context& c, const Arguments& a) { return c.dict(entries_of(c, a)); });
  add("namespace", name_space);
  add("strftime_now", time_now);
  add("raise_exception", [](Context& c, const Arguments& a) -> Value {
    fail<DataError>("{}: {}", c.name(), text_of(c, Reader(c, "raise_exception", a).require(0, "message")));
  });
  return functions;
}

}  // namespace heed::text::jinja
