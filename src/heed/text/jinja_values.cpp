#include "heed/text/jinja_values.h"

#include <algorithm>
#include <cmath>

#include "heed/base/utf8.h"
#include "heed/text/jinja_methods.h"
#include "heed/text/python_text.h"

namespace heed::text::jinja {
namespace {

constexpr uint64_t kValueBytes = 32;  // what a value in a list is charged

// A key's text: equal keys have equal texts. Empty: no key.
std::string key_of(const Value& key) {
  if (const auto* text = key.string()) return fmt::format("s{}", *text);
  if (const auto integer = as_integer(key)) return fmt::format("n{}", *integer);
  if (const auto* real = key.real()) {
    const bool whole = *real == std::floor(*real) && std::abs(*real) < 1e18;
    return whole ? fmt::format("n{}", static_cast<int64_t>(*real)) : fmt::format("n{}", python_repr(*real));
  }
  return key.is_none() ? "-" : "";
}

int deepest(const std::vector<Value>& items) {
  int depth = 0;
  for (const Value& value : items) depth = std::max(depth, value.depth());
  return depth;
}

// The characters of a text as values.
std::vector<Value> characters(Context& context, std::string_view text) {
  context.charge(text.size() * 2 * kValueBytes);
  std::vector<Value> items;
  while (!text.empty()) {
    const size_t length = decode_utf8(text).length;
    items.emplace_back(std::string(text.substr(0, length)));
    text.remove_prefix(length);
  }
  return items;
}

Value undefined(const std::string& name) { return Value(Value::Data(Undefined{std::make_shared<std::string>(name)})); }

[[noreturn]] void raise_undefined(Context& context, const Value& value) {
  const auto& name = std::get<Undefined>(value.data()).name;
  context.error("'{}' is undefined", name ? *name : "the value");
}

}  // namespace

int Value::depth() const {
  if (const List* l = list()) return l->depth;
  if (const Dict* d = dict()) return d->depth;
  if (const Callable* c = callable()) return c->depth;
  if (const Loop* l = loop()) return l->depth;
  return 0;
}

const char* Value::type_name() const {
  static constexpr const char* kNames[] = {"Undefined", "NoneType", "bool",      "int",      "float",      "str",
                                           "list",      "dict",     "Namespace", "function", "LoopContext"};
  if (const List* l = list(); l && l->kind != ListKind::kList)
    return l->kind == ListKind::kTuple ? "tuple" : "generator";
  return kNames[data_.index()];
}

const Value* Dict::find(const Value& key) const {
  const auto found = places.find(key_of(key));
  return found == places.end() ? nullptr : &entries[found->second].second;
}

const Value* Dict::find(std::string_view key) const {
  const auto found = places.find(fmt::format("s{}", key));
  return found == places.end() ? nullptr : &entries[found->second].second;
}

const Value* Arguments::find(size_t place, std::string_view name) const {
  if (place < positional.size()) return &positional[place];
  for (const auto& [key, value] : named)
    if (key == name) return &value;
  return nullptr;
}

Context::~Context() {
  for (const auto& space : namespaces_) space->attributes.clear();
}

int Context::checked_depth(int inner) const {
  if (inner >= kMaxDepth) error("values are nested more than {} deep", kMaxDepth);
  return inner + 1;
}

Value Context::string(std::string text) {
  charge(text.size() + kValueBytes);
  return Value(std::move(text));
}

Value Context::list(std::vector<Value> items, ListKind kind) {
  charge((items.size() + 1) * kValueBytes);
  const int depth = checked_depth(deepest(items));
  return Value(Value::Data(std::make_shared<const List>(List{std::move(items), kind, depth, 0})));
}

Value Context::dict(std::vector<std::pair<Value, Value>> entries) {
  charge((entries.size() + 1) * 4 * kValueBytes);
  auto dict = std::make_shared<Dict>();
  int inner = 0;
  for (std::pair<Value, Value>& entry : entries) {
    std::string name = key_of(entry.first);
    if (name.empty()) error("unsupported key of type {}", entry.first.type_name());
    charge(name.size());
    inner = std::max(inner, entry.second.depth());
    const auto [place, is_new] = dict->places.emplace(std::move(name), dict->entries.size());
    if (is_new) dict->entries.push_back(std::move(entry));
    else dict->entries[place->second].second = std::move(entry.second);
  }
  dict->depth = checked_depth(inner);
  return Value(Value::Data(std::shared_ptr<const Dict>(std::move(dict))));
}

Value Context::name_space(std::unordered_map<std::string, Value> attributes) {
  charge((attributes.size() + 2) * 4 * kValueBytes);
  namespaces_.push_back(std::make_shared<Namespace>(Namespace{std::move(attributes)}));
  return Value(Value::Data(namespaces_.back()));
}

Value Context::function(std::string name, std::function<Value(const Arguments&)> call, int depth) {
  charge(4 * kValueBytes);
  Callable callable{std::move(name), std::move(call), checked_depth(depth)};
  return Value(Value::Data(std::make_shared<const Callable>(std::move(callable))));
}

Value Context::loop(std::vector<Value> items) {
  const int depth = checked_depth(deepest(items));
  return Value(Value::Data(std::shared_ptr<const Loop>(std::make_shared<Loop>(Loop{std::move(items), 0, depth}))));
}

Value Context::from_json(const Json& json) {
  const Nesting nesting_guard(*this);
  switch (json.type()) {
    case Json::value_t::boolean: return Value(json.get<bool>());
    case Json::value_t::number_integer: return Value(json.get<int64_t>());
    case Json::value_t::number_unsigned:
      if (json.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) error("expected integers below 2^63");
      return Value(json.get<int64_t>());
    case Json::value_t::number_float: return Value(json.get<double>());
    case Json::value_t::string: return string(to_valid_utf8(json.get_ref<const std::string&>()));
    case Json::value_t::array: {
      std::vector<Value> items;
      for (const Json& element : json) items.push_back(from_json(element));
      return list(std::move(items));
    }
    case Json::value_t::object: {
      std::vector<std::pair<Value, Value>> entries;
      for (const auto& [key, value] : json.items()) entries.emplace_back(string(key), from_json(value));
      return dict(std::move(entries));
    }
    default: return Value(None());
  }
}

bool truth(const Value& value) {
  if (value.is_undefined() || value.is_none()) return false;
  if (const auto* b = value.boolean()) return *b;
  if (const auto* i = value.integer()) return *i != 0;
  if (const auto* r = value.real()) return *r != 0;
  if (const auto* s = value.string()) return !s->empty();
  if (const auto* l = value.list()) return l->kind == ListKind::kGenerator || !l->items.empty();
  if (const auto* d = value.dict()) return !d->entries.empty();
  return true;
}

std::optional<int64_t> as_integer(const Value& value) {
  if (const auto* i = value.integer()) return *i;
  if (const auto* b = value.boolean()) return *b ? 1 : 0;
  return {};
}

std::optional<double> as_number(const Value& value) {
  if (const auto* r = value.real()) return *r;
  if (const auto i = as_integer(value)) return static_cast<double>(*i);
  return {};
}

bool equal(Context& context, const Value& a, const Value& b) {
  const Nesting guard(context);
  context.charge(kValueBytes);
  if (const auto i = as_integer(a), j = as_integer(b); i && j) return *i == *j;
  if (const auto x = as_number(a), y = as_number(b); x && y) return *x == *y;
  if (a.data().index() != b.data().index()) return false;
  if (const auto* s = a.string()) {
    context.charge(std::min(s->size(), b.string()->size()) / 16);
    return *s == *b.string();
  }
  if (const auto* l = a.list()) {
    const auto* m = b.list();
    if (l == m) return true;
    if (l->kind != m->kind || l->kind == ListKind::kGenerator || l->items.size() != m->items.size()) return false;
    for (size_t i = 0; i < l->items.size(); ++i)
      if (!equal(context, l->items[i], m->items[i])) return false;
    return true;
  }
  if (const auto* d = a.dict()) {
    const auto* e = b.dict();
    if (d->entries.size() != e->entries.size()) return false;
    for (const auto& [key, value] : d->entries) {
      const Value* other = e->find(key);
      if (!other || !equal(context, value, *other)) return false;
    }
    return true;
  }
  if (a.name_space()) return a.name_space() == b.name_space();
  if (a.callable()) return a.callable() == b.callable();
  if (a.loop()) return a.loop() == b.loop();
  return true;  // both undefined, or none
}

bool less(Context& context, const Value& a, const Value& b) {
  const Nesting guard(context);
  context.charge(kValueBytes);
  if (const auto i = as_integer(a), j = as_integer(b); i && j) return *i < *j;
  if (const auto x = as_number(a), y = as_number(b); x && y) return *x < *y;
  if (a.string() && b.string()) return *a.string() < *b.string();  // bytes of UTF-8 sort as code points
  const auto *l = a.list(), *m = b.list();
  if (l && m && l->kind == m->kind && l->kind != ListKind::kGenerator) {
    const size_t common = std::min(l->items.size(), m->items.size());
    for (size_t i = 0; i < common; ++i)
      if (!equal(context, l->items[i], m->items[i])) return less(context, l->items[i], m->items[i]);
    return l->items.size() < m->items.size();
  }
  if (a.is_undefined()) raise_undefined(context, a);
  if (b.is_undefined()) raise_undefined(context, b);
  context.error("{} and {} cannot be ordered", a.type_name(), b.type_name());
}

bool contains(Context& context, const Value& container, const Value& item) {
  if (const auto* text = container.string()) {
    if (!item.string()) context.error("'in' of a str expected a str, got {}", item.type_name());
    context.charge(text->size() / 16);
    return text->find(*item.string()) != std::string::npos;
  }
  if (const auto* dict = container.dict()) return dict->find(item) != nullptr;
  if (container.is_undefined()) return false;
  if (!container.list() && !container.loop()) context.error("'in' expected a container, got {}", container.type_name());
  const std::vector<Value> items = iterate(context, container);
  return std::any_of(items.begin(), items.end(), [&](const Value& value) { return equal(context, value, item); });
}

int64_t length(Context& context, const Value& value) {
  if (value.is_undefined()) return 0;
  if (const auto* s = value.string()) {
    context.charge(s->size() / 16);
    return count_code_points(*s);
  }
  if (const auto* l = value.list(); l && l->kind != ListKind::kGenerator) return static_cast<int64_t>(l->items.size());
  if (const auto* d = value.dict()) return static_cast<int64_t>(d->entries.size());
  if (const auto* l = value.loop()) return static_cast<int64_t>(l->items.size());
  context.error("a {} has no length", value.type_name());
}

std::vector<Value> iterate(Context& context, const Value& value) {
  if (value.is_undefined()) return {};
  if (const auto* s = value.string()) return characters(context, *s);
  if (const auto* l = value.list()) {
    context.charge(l->items.size() * kValueBytes);
    const size_t begin = std::exchange(l->next, l->kind == ListKind::kGenerator ? l->items.size() : 0);
    return {l->items.begin() + static_cast<std::ptrdiff_t>(begin), l->items.end()};
  }
  if (const auto* d = value.dict()) {
    context.charge(d->entries.size() * kValueBytes);
    std::vector<Value> keys;
    for (const auto& entry : d->entries) keys.push_back(entry.first);
    return keys;
  }
  context.error("a {} is not iterable", value.type_name());
}

std::string text_of(Context& context, const Value& value) {
  if (value.is_undefined()) return {};
  if (const auto* s = value.string()) {
    context.charge(s->size());
    return *s;
  }
  return repr(context, value);
}

std::string repr(Context& context, const Value& value) {
  const Nesting guard(context);
  context.charge(kValueBytes);
  if (value.is_undefined()) return "Undefined";
  if (value.is_none()) return "None";
  if (const auto* b = value.boolean()) return *b ? "True" : "False";
  if (const auto* i = value.integer()) return std::to_string(*i);
  if (const auto* r = value.real()) return python_repr(*r);
  if (const auto* s = value.string()) {
    context.charge(s->size() * 4);
    return python_repr(*s);
  }
  std::string out;
  if (const auto* l = value.list(); l && l->kind != ListKind::kGenerator) {
    const bool tuple = l->kind == ListKind::kTuple;
    for (const Value& element : l->items) out.append(out.empty() ? "" : ", ").append(repr(context, element));
    context.charge(out.size());
    if (!tuple) return fmt::format("[{}]", out);
    return fmt::format("({}{}", out, l->items.size() == 1 ? ",)" : ")");
  }
  if (const auto* d = value.dict()) {
    for (const auto& [key, element] : d->entries)
      out.append(out.empty() ? "" : ", ").append(repr(context, key)).append(": ").append(repr(context, element));
    context.charge(out.size());
    return fmt::format("{{{}}}", out);
  }
  context.error("a {} has no text", value.type_name());
}

Value attribute(Context& context, const Value& object, const std::string& name) {
  if (object.is_undefined()) raise_undefined(context, object);
  if (const auto* space = object.name_space()) {
    const auto found = space->attributes.find(name);
    return found == space->attributes.end() ? undefined(name) : found->second;
  }
  if (object.loop()) return loop_attribute(context, object, name);
  if (has_method(object, name)) return method(context, object, name);
  if (const auto* dict = object.dict())
    if (const Value* found = dict->find(std::string_view(name))) return *found;
  return undefined(name);
}

Value item(Context& context, const Value& object, const Value& key) {
  if (object.is_undefined()) raise_undefined(context, object);
  if (const auto* dict = object.dict())
    if (const Value* found = dict->find(key)) return *found;
  const auto index = as_integer(key);
  if (const auto* list = object.list(); list && index && list->kind != ListKind::kGenerator) {
    const auto size = static_cast<int64_t>(list->items.size());
    const int64_t at = *index < 0 ? *index + size : *index;
    return at >= 0 && at < size ? list->items[static_cast<size_t>(at)] : undefined(fmt::format("item {}", *index));
  }
  if (const auto* text = object.string(); text && index) {
    const int64_t size = length(context, object);
    const int64_t at = *index < 0 ? *index + size : *index;
    if (at < 0 || at >= size) return undefined(fmt::format("item {}", *index));
    const std::string_view rest = std::string_view(*text).substr(byte_of_code_point(*text, at));
    return context.string(std::string(rest.substr(0, decode_utf8(rest).length)));
  }
  if (const auto* name = key.string()) return attribute(context, object, *name);
  return undefined(text_of(context, key));
}

Value slice(Context& context, const Value& object, const Value& begin, const Value& end, const Value& step) {
  if (object.is_undefined()) raise_undefined(context, object);
  const auto* list = object.list();
  if (!object.string() && !(list && list->kind != ListKind::kGenerator))
    context.error("a {} cannot be sliced", object.type_name());
  const auto number = [&](const Value& value, int64_t otherwise) {
    if (value.is_none()) return otherwise;
    if (const auto i = as_integer(value)) return *i;
    context.error("expected integers in a slice, got {}", value.type_name());
  };
  const int64_t size = length(context, object), by = number(step, 1);
  if (by == 0) context.error("a slice has step 0");
  const auto place = [&](const Value& value, int64_t otherwise) {
    const int64_t lowest = by < 0 ? -1 : 0, highest = by < 0 ? size - 1 : size;
    int64_t at = number(value, otherwise);
    if (value.is_none()) return at;
    if (at < 0) at = at < -size ? lowest : at + size;
    return std::clamp(at, lowest, highest);
  };
  const int64_t from = place(begin, by < 0 ? size - 1 : 0), to = place(end, by < 0 ? -1 : size);
  const std::vector<Value> all = object.string() && by != 1 ? iterate(context, object) : std::vector<Value>();
  if (object.string() && by == 1) {
    const std::string& text = *object.string();
    if (from >= to) return context.string("");
    const size_t first = byte_of_code_point(text, from);
    const size_t bytes = byte_of_code_point(std::string_view(text).substr(first), to - from);
    return context.string(text.substr(first, bytes));
  }
  const std::vector<Value>& items = object.string() ? all : list->items;
  std::vector<Value> taken;
  for (int64_t at = from; by > 0 ? at < to : at > to;) {
    taken.push_back(items[static_cast<size_t>(at)]);
    if (by > 0 ? by > to - at : by < to - at) break;  // the next step would leave, or overflow
    at += by;
  }
  if (list) return context.list(std::move(taken), list->kind);
  std::string joined;
  for (const Value& character : taken) joined += *character.string();
  return context.string(std::move(joined));
}

}  // namespace heed::text::jinja
