#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "heed/base/utf8.h"
#include "heed/text/jinja_filters.h"
#include "heed/text/jinja_methods.h"
#include "heed/text/jinja_operators.h"
#include "heed/text/python_text.h"

namespace heed::text::jinja {
namespace {

// item["a"]["b"] for the attribute "a.b"; numbers are places.
// `missing`: what stands for an undefined one, at each step; or null.
Value attribute_path(Context& context, Value value, const Value& path, const Value* missing = nullptr) {
  const auto step = [&](const Value& key) {
    value = item(context, value, key);
    if (missing && value.is_undefined()) value = *missing;
  };
  if (!path.string()) {
    step(path);
    return value;
  }
  for (const std::string_view part : python_split(*path.string(), ".", -1, false)) {
    int64_t index = 0;
    const auto read = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool number = !part.empty() && part[0] != '-' && read.ec == std::errc() && read.ptr == part.end();
    step(number ? Value(index) : Value(std::string(part)));
  }
  return value;
}

// What an item is sorted and compared by: an attribute, in lower case unless case matters.
class Key {
 public:
  Key(Context& context, const Value* attribute, bool case_sensitive)
      : context_(context), attribute_(attribute), case_sensitive_(case_sensitive) {}
  Value operator()(const Value& value) const {
    const Value key = attribute_ ? attribute_path(context_, value, *attribute_) : value;
    return key.string() && !case_sensitive_ ? context_.string(python_lower(*key.string())) : key;
  }

 private:
  Context& context_;
  const Value* attribute_;
  bool case_sensitive_;
};

std::vector<Value> sorted(Context& context, const std::vector<Value>& items, const Key& key, bool reverse) {
  std::vector<std::pair<Value, Value>> keyed;
  keyed.reserve(items.size());
  for (const Value& value : items) keyed.emplace_back(key(value), value);
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return reverse ? less(context, b.first, a.first) : less(context, a.first, b.first);
  });
  std::vector<Value> out;
  out.reserve(keyed.size());
  for (auto& entry : keyed) out.push_back(std::move(entry.second));
  return out;
}

Value count(Context& context, const Value& value, const Arguments&) { return Value(length(context, value)); }

Value join(Context& context, const Value& value, const Arguments& arguments) {
  const Reader in(context, "join", arguments);
  const Value* between = in.find(0, "d");
  const std::string separator = between ? text_of(context, *between) : "";
  const Value* attribute = in.find(1, "attribute");
  std::string out;
  bool first = true;
  for (const Value& element : iterate(context, value)) {
    if (!std::exchange(first, false)) out += separator;
    out += text_of(context, attribute ? attribute_path(context, element, *attribute) : element);
    context.charge(separator.size());
  }
  return context.string(std::move(out));
}

Value first(Context& context, const Value& value, const Arguments&) {
  if (const auto* list = value.list(); list && list->kind == ListKind::kGenerator)
    return list->next < list->items.size() ? list->items[list->next++] : Value();
  const std::vector<Value> items = iterate(context, value);
  return items.empty() ? Value() : items.front();
}

Value last(Context& context, const Value& value, const Arguments&) {
  const std::vector<Value> items = iterate(context, value);
  return items.empty() ? Value() : items.back();
}

Value to_list(Context& context, const Value& value, const Arguments&) { return context.list(iterate(context, value)); }

Value items(Context& context, const Value& value, const Arguments&) {
  if (!value.is_undefined() && !value.dict()) context.error("items: expected a dict, got {}", value.type_name());
  std::vector<Value> pairs;
  if (value.dict())
    for (const auto& [key, element] : value.dict()->entries)
      pairs.push_back(context.list({key, element}, ListKind::kTuple));
  return context.list(std::move(pairs), ListKind::kGenerator);
}

Value reverse(Context& context, const Value& value, const Arguments&) {
  std::vector<Value> all = iterate(context, value);
  std::reverse(all.begin(), all.end());
  if (!value.string()) return context.list(std::move(all), ListKind::kGenerator);
  std::string text;
  for (const Value& character : all) text += *character.string();
  return context.string(std::move(text));
}

Value sort(Context& context, const Value& value, const Arguments& arguments) {
  const Reader in(context, "sort", arguments);
  const Key key(context, in.find(2, "attribute"), in.flag(1, "case_sensitive", false));
  return context.list(sorted(context, iterate(context, value), key, in.flag(0, "reverse", false)));
}

Value dict_sort(Context& context, const Value& value, const Arguments& arguments) {
  const Reader in(context, "dictsort", arguments);
  const std::string by = in.text(1, "by", "key");
  if (by != "key" && by != "value") context.error("dictsort: expected by='key' or 'value', got '{}'", by);
  if (!value.dict()) context.error("dictsort: expected a dict, got {}", value.type_name());
  const Value place(int64_t{by == "value"});
  const Key key(context, &place, in.flag(0, "case_sensitive", false));
  const std::vector<Value> pairs = iterate(context, items(context, value, {}));
  return context.list(sorted(context, pairs, key, in.flag(2, "reverse", false)));
}

Value unique(Context& context, const Value& value, const Arguments& arguments) {
  const Reader in(context, "unique", arguments);
  const Key key(context, in.find(1, "attribute"), in.flag(0, "case_sensitive", false));
  std::vector<Value> seen, out;
  for (const Value& element : iterate(context, value)) {
    Value mark = key(element);
    if (std::any_of(seen.begin(), seen.end(), [&](const Value& s) { return equal(context, s, mark); })) continue;
    seen.push_back(std::move(mark));
    out.push_back(element);
  }
  return context.list(std::move(out), ListKind::kGenerator);
}

template <bool kMax>
Value extreme(Context& context, const Value& value, const Arguments& arguments) {
  const Reader in(context, kMax ? "max" : "min", arguments);
  const Key key(context, in.find(1, "attribute"), in.flag(0, "case_sensitive", false));
  const std::vector<Value> all = iterate(context, value);
  if (all.empty()) return Value();
  const Value* best = nullptr;
  for (const Value& element : all)
    if (!best || (kMax ? less(context, key(*best), key(element)) : less(context, key(element), key(*best))))
      best = &element;
  return *best;
}

Value sum(Context& context, const Value& value, const Arguments& arguments) {
  const Reader in(context, "sum", arguments);
  const Value* attribute = in.find(0, "attribute");
  Value total = in.find(1, "start") ? *in.find(1, "start") : Value(int64_t{0});
  for (const Value& element : iterate(context, value))
    total = arithmetic(context, "+", total, attribute ? attribute_path(context, element, *attribute) : element);
  return total;
}

// The arguments behind the first `count`.
Arguments rest(const Arguments& arguments, size_t count) {
  Arguments out;
  for (size_t i = count; i < arguments.positional.size(); ++i) out.positional.push_back(arguments.positional[i]);
  out.named = arguments.named;
  return out;
}

Value map(Context& context, const Value& value, const Arguments& arguments) {
  const Reader in(context, "map", arguments);
  std::vector<Value> out;
  if (arguments.positional.empty()) {
    const Value* path = in.find(0, "attribute");
    if (!path) context.error("map: expected a filter or attribute=");
    const Value* missing = in.find(1, "default");
    for (const Value& element : iterate(context, value))
      out.push_back(attribute_path(context, element, *path, missing));
  } else {
    const Arguments others = rest(arguments, 1);
    for (const Value& element : iterate(context, value))
      out.push_back(apply_filter(context, in.text(0, "filter"), element, others));
  }
  return context.list(std::move(out), ListKind::kGenerator);
}

// select, reject (kAttribute false), selectattr, rejectattr.
template <bool kKeep, bool kAttribute>
Value select(Context& context, const Value& value, const Arguments& arguments) {
  const Reader in(context, kAttribute ? "selectattr, rejectattr" : "select, reject", arguments);
  constexpr size_t kTest = kAttribute ? 1 : 0;
  const bool has_test = arguments.positional.size() > kTest;
  const Arguments others = rest(arguments, kTest + 1);
  std::vector<Value> out;
  for (const Value& element : iterate(context, value)) {
    const Value tested = kAttribute ? attribute_path(context, element, in.require(0, "attribute")) : element;
    const bool holds = has_test ? apply_test(context, in.text(kTest, "test"), tested, others) : truth(tested);
    if (holds == kKeep) out.push_back(element);
  }
  return context.list(std::move(out), ListKind::kGenerator);
}

Value attr(Context& context, const Value& value, const Arguments& arguments) {
  // Attributes only, never a dictionary's entries.
  const std::string& name = Reader(context, "attr", arguments).text(0, "name");
  return value.dict() && !has_method(value, name) ? Value() : attribute(context, value, name);
}

Value batch(Context& context, const Value& value, const Arguments& arguments) {
  const Reader in(context, "batch", arguments);
  const int64_t size = in.integer(0, "linecount", 0);
  if (size < 1) context.error("batch: expected a positive number");
  const Value* fill = in.find(1, "fill_with");
  std::vector<Value> out, group;
  const auto finish = [&] { out.push_back(context.list(std::exchange(group, {}))); };
  for (const Value& element : iterate(context, value)) {
    if (static_cast<int64_t>(group.size()) == size) finish();
    group.push_back(element);
  }
  while (fill && !group.empty() && static_cast<int64_t>(group.size()) < size) {
    context.charge(32);
    group.push_back(*fill);
  }
  if (!group.empty()) finish();
  return context.list(std::move(out), ListKind::kGenerator);
}

}  // namespace

Filter sequence_filter(const std::string& name) {
  static const std::map<std::string_view, Filter> kFilters = {{"length", count},
                                                              {"count", count},
                                                              {"join", join},
                                                              {"first", first},
                                                              {"last", last},
                                                              {"list", to_list},
                                                              {"items", items},
                                                              {"reverse", reverse},
                                                              {"sort", sort},
                                                              {"dictsort", dict_sort},
                                                              {"unique", unique},
                                                              {"min", extreme<false>},
                                                              {"max", extreme<true>},
                                                              {"sum", sum},
                                                              {"map", map},
                                                              {"select", select<true, false>},
                                                              {"reject", select<false, false>},
                                                              {"selectattr", select<true, true>},
                                                              {"rejectattr", select<false, true>},
                                                              {"attr", attr},
                                                              {"batch", batch}};
  const auto found = kFilters.find(name);
  return found == kFilters.end() ? nullptr : found->second;
}

}  // namespace heed::text::jinja
