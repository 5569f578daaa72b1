#include "heed/text/jinja_methods.h"

#include <algorithm>
#include <map>
#include <optional>

#include "heed/text/python_text.h"

namespace heed::text::jinja {
namespace {

// A method's receiver and arguments.
struct Call {
  Context& context;
  const Value& self;
  Reader in;

  const std::string& text() const { return *self.string(); }
  std::optional<std::string_view> optional_text(size_t place, std::string_view name) const {
    return in.find(place, name) ? std::optional<std::string_view>(in.text(place, name)) : std::nullopt;
  }
  Value made(std::string_view text) const { return context.string(std::string(text)); }
};

using Method = Value (*)(const Call&);

template <bool kLeft, bool kRight>
Value strip(const Call& call) {
  return call.made(python_strip(call.text(), call.optional_text(0, "chars"), kLeft, kRight));
}

template <bool kFromRight>
Value split(const Call& call) {
  const auto separator = call.optional_text(0, "sep");
  if (separator && separator->empty()) call.context.error("split: empty separator");
  call.context.charge(call.text().size());
  std::vector<Value> parts;
  for (const auto part : python_split(call.text(), separator, call.in.integer(1, "maxsplit", -1), kFromRight))
    parts.push_back(call.made(part));
  return call.context.list(std::move(parts));
}

Value split_lines(const Call& call) {
  std::vector<Value> lines;
  for (const auto line : python_split_lines(call.text(), call.in.flag(0, "keepends", false)))
    lines.push_back(call.made(line));
  return call.context.list(std::move(lines));
}

// str.startswith and endswith, which also take a tuple.
template <bool kStart>
Value affix(const Call& call) {
  const Value& given = call.in.require(0, "prefix");
  const std::vector<Value> choices = given.list() ? given.list()->items : std::vector<Value>{given};
  for (const Value& choice : choices) {
    if (!choice.string()) call.context.error("startswith, endswith: expected a str, got {}", choice.type_name());
    if (kStart ? call.text().starts_with(*choice.string()) : call.text().ends_with(*choice.string()))
      return Value(true);
  }
  return Value(false);
}

template <std::string (*kFunction)(std::string_view)>
Value mapped(const Call& call) {
  call.context.charge(call.text().size());
  return call.made(kFunction(call.text()));
}

Value replace(const Call& call) {
  const std::string &from = call.in.text(0, "old"), &to = call.in.text(1, "new");
  call.context.charge(call.text().size());
  // Charged before it is made: the result may be far larger than all that went in.
  uint64_t places = from.empty() ? call.text().size() + 1 : 0;
  for (size_t at = 0; !from.empty() && (at = call.text().find(from, at)) != std::string::npos; at += from.size())
    ++places;
  if (places > 0 && to.size() > call.context.limits().work / places)
    call.context.error("replace: the result is too long");
  call.context.charge(places * to.size());
  return call.made(python_replace(call.text(), from, to, call.in.integer(2, "count", -1)));
}

template <bool kLast>
Value find(const Call& call) {
  const std::string& part = call.in.text(0, "sub");
  call.context.charge(call.text().size() / 16);
  const size_t at = kLast ? call.text().rfind(part) : call.text().find(part);
  if (at == std::string::npos) return Value(int64_t{-1});
  return Value(count_code_points(std::string_view(call.text()).substr(0, at)));
}

Value count(const Call& call) {
  const std::string& part = call.in.text(0, "sub");
  call.context.charge(call.text().size() / 16);
  if (part.empty()) return Value(count_code_points(call.text()) + 1);
  int64_t found = 0;
  for (size_t at = 0; (at = call.text().find(part, at)) != std::string::npos; at += part.size()) ++found;
  return Value(found);
}

Value join(const Call& call) {
  std::string out;
  bool first = true;
  for (const Value& part : iterate(call.context, call.in.require(0, "iterable"))) {
    if (!part.string()) call.context.error("join: expected str items, got {}", part.type_name());
    call.context.charge(part.string()->size() + call.text().size());
    if (!std::exchange(first, false)) out += call.text();
    out += *part.string();
  }
  return call.made(out);
}

template <bool kPrefix>
Value remove_affix(const Call& call) {
  const std::string& affix = call.in.text(0, "affix");
  std::string_view text = call.text();
  if (kPrefix && text.starts_with(affix)) text.remove_prefix(affix.size());
  if (!kPrefix && text.ends_with(affix)) text.remove_suffix(affix.size());
  return call.made(text);
}

// ljust, rjust and zfill: filled up to a width.
template <bool kLeft, char kFill>
Value filled(const Call& call) {
  const int64_t width = call.in.integer(0, "width", 0), have = count_code_points(call.text());
  if (width <= have) return call.self;
  const auto missing = static_cast<uint64_t>(width - have);
  call.context.charge(missing);
  const std::string fill = kFill == '0' ? "0" : call.in.text(1, "fillchar", " ");
  if (count_code_points(fill) != 1) call.context.error("expected one character to fill with");
  call.context.charge(missing * fill.size());
  std::string room;
  for (uint64_t i = 0; i < missing; ++i) room += fill;
  const bool sign = kFill == '0' && (call.text().starts_with('-') || call.text().starts_with('+'));
  if (sign) return call.made(call.text().substr(0, 1) + room + call.text().substr(1));
  return call.made(kLeft ? call.text() + room : room + call.text());
}

template <PythonClass kClass>
Value is_class(const Call& call) {
  call.context.charge(call.text().size());
  return Value(python_is(kClass, call.text()));
}

template <bool (*kFunction)(std::string_view)>
Value is_case(const Call& call) {
  call.context.charge(call.text().size());
  return Value(kFunction(call.text()));
}

Value list_index(const Call& call) {
  const auto& items = call.self.list()->items;
  for (size_t i = 0; i < items.size(); ++i)
    if (equal(call.context, items[i], call.in.require(0, "value"))) return Value(static_cast<int64_t>(i));
  call.context.error("index: the value is not in the list");
}

Value list_count(const Call& call) {
  int64_t found = 0;
  for (const Value& value : call.self.list()->items) found += equal(call.context, value, call.in.require(0, "value"));
  return Value(found);
}

Value dict_items(const Call& call) {
  std::vector<Value> items;
  for (const auto& [key, value] : call.self.dict()->entries)
    items.push_back(call.context.list({key, value}, ListKind::kTuple));
  return call.context.list(std::move(items));
}

Value dict_keys(const Call& call) { return call.context.list(iterate(call.context, call.self)); }

Value dict_values(const Call& call) {
  std::vector<Value> items;
  for (const auto& entry : call.self.dict()->entries) items.push_back(entry.second);
  return call.context.list(std::move(items));
}

Value dict_get(const Call& call) {
  if (const Value* found = call.self.dict()->find(call.in.require(0, "key"))) return *found;
  const Value* otherwise = call.in.find(1, "default");
  return otherwise ? *otherwise : Value(None());
}

Value copy(const Call& call) { return call.self; }

using Methods = std::map<std::string_view, Method>;

const Methods& string_methods() {
  static const Methods kMethods = {{"strip", strip<true, true>},
                                   {"lstrip", strip<true, false>},
                                   {"rstrip", strip<false, true>},
                                   {"split", split<false>},
                                   {"rsplit", split<true>},
                                   {"splitlines", split_lines},
                                   {"startswith", affix<true>},
                                   {"endswith", affix<false>},
                                   {"upper", mapped<python_upper>},
                                   {"lower", mapped<python_lower>},
                                   {"title", mapped<python_title>},
                                   {"capitalize", mapped<python_capitalize>},
                                   {"replace", replace},
                                   {"find", find<false>},
                                   {"rfind", find<true>},
                                   {"count", count},
                                   {"join", join},
                                   {"removeprefix", remove_affix<true>},
                                   {"removesuffix", remove_affix<false>},
                                   {"ljust", filled<true, ' '>},
                                   {"rjust", filled<false, ' '>},
                                   {"zfill", filled<false, '0'>},
                                   {"isalpha", is_class<PythonClass::kAlpha>},
                                   {"isdigit", is_class<PythonClass::kDigit>},
                                   {"isalnum", is_class<PythonClass::kAlphanumeric>},
                                   {"isspace", is_class<PythonClass::kSpace>},
                                   {"isnumeric", is_class<PythonClass::kNumeric>},
                                   {"isdecimal", is_class<PythonClass::kDecimal>},
                                   {"isascii", is_class<PythonClass::kAscii>},
                                   {"islower", is_case<python_is_lower>},
                                   {"isupper", is_case<python_is_upper>}};
  return kMethods;
}

const Methods& methods_of(const Value& object) {
  static const Methods kList = {{"index", list_index}, {"count", list_count}, {"copy", copy}};
  static const Methods kDict = {
      {"items", dict_items}, {"keys", dict_keys}, {"values", dict_values}, {"get", dict_get}, {"copy", copy}};
  static const Methods kNone;
  if (object.string()) return string_methods();
  if (object.list() && object.list()->kind != ListKind::kGenerator) return kList;
  return object.dict() ? kDict : kNone;
}

std::string one_conversion(Context& context, char conversion, const std::string& flags, const Value& value) {
  if (conversion == 's') return text_of(context, value);
  if (conversion == 'r') return repr(context, value);
  const auto number = as_number(value);
  if (!number) context.error("%{}: expected a number, got {}", conversion, value.type_name());
  if (conversion == 'f') {
    int precision = 6;
    if (flags.starts_with('.') && flags.size() > 1 && flags.size() < 4) precision = std::stoi(flags.substr(1));
    else if (!flags.empty()) context.error("unsupported format '%{}f'", flags);
    return fmt::format("{:.{}f}", *number, precision);
  }
  if (*number < -9e18 || *number > 9e18) context.error("%{}: {} is out of range", conversion, *number);
  const auto whole = value.integer() ? *value.integer() : static_cast<int64_t>(*number);
  return conversion == 'x' ? fmt::format("{:x}", whole) : std::to_string(whole);
}

}  // namespace

bool has_method(const Value& object, std::string_view name) { return methods_of(object).contains(name); }

Value method(Context& context, const Value& object, const std::string& name) {
  const Method call = methods_of(object).at(name);
  return context.function(
      name,
      [&context, object, name, call](const Arguments& arguments) {
        return call(Call{context, object, Reader(context, name, arguments)});
      },
      object.depth() + 1);
}

Value loop_attribute(Context& context, const Value& object, const std::string& name) {
  const Loop& loop = *object.loop();
  const auto index = static_cast<int64_t>(loop.index), size = static_cast<int64_t>(loop.items.size());
  if (name == "index") return Value(index + 1);
  if (name == "index0") return Value(index);
  if (name == "revindex") return Value(size - index);
  if (name == "revindex0") return Value(size - index - 1);
  if (name == "first") return Value(index == 0);
  if (name == "last") return Value(index + 1 == size);
  if (name == "length") return Value(size);
  // Of recursive loops, which are not supported: all others have depth 1.
  if (name == "depth") return Value(int64_t{1});
  if (name == "depth0") return Value(int64_t{0});
  if (name == "previtem") return index > 0 ? loop.items[loop.index - 1] : Value();
  if (name == "nextitem") return index + 1 < size ? loop.items[loop.index + 1] : Value();
  if (name == "cycle")
    return context.function("cycle", [&context, at = loop.index](const Arguments& arguments) {
      if (arguments.positional.empty()) context.error("cycle: expected values");
      return arguments.positional[at % arguments.positional.size()];
    });
  context.error("loop.{} is not supported", name);
}

const Value* Reader::find(size_t place, std::string_view name) const {
  const Value* value = arguments_.find(place, name);
  return value && !value->is_none() ? value : nullptr;
}

const Value& Reader::require(size_t place, std::string_view name) const {
  const Value* value = arguments_.find(place, name);
  if (!value) context_.error("{}: expected the argument '{}'", function_, name);
  return *value;
}

const std::string& Reader::text(size_t place, std::string_view name) const {
  const Value& value = require(place, name);
  if (!value.string()) context_.error("{}: expected a str as '{}', got {}", function_, name, value.type_name());
  return *value.string();
}

std::string Reader::text(size_t place, std::string_view name, const std::string& otherwise) const {
  return find(place, name) ? text(place, name) : otherwise;
}

int64_t Reader::integer(size_t place, std::string_view name, int64_t otherwise) const {
  const Value* value = find(place, name);
  if (!value) return otherwise;
  const auto number = as_integer(*value);
  if (!number) context_.error("{}: expected an int as '{}', got {}", function_, name, value->type_name());
  return *number;
}

bool Reader::flag(size_t place, std::string_view name, bool otherwise) const {
  const Value* value = find(place, name);
  return value ? truth(*value) : otherwise;
}

std::string format_percent(Context& context, const std::string& text, const std::vector<Value>& arguments) {
  std::string out;
  size_t next = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      out += text[at];
      continue;
    }
    std::string flags;
    while (++at < text.size() && (text[at] == '.' || (text[at] >= '0' && text[at] <= '9'))) flags += text[at];
    const char conversion = at < text.size() ? text[at] : '\0';
    if (conversion == '%') {
      out += '%';
      continue;
    }
    constexpr std::string_view kKnown = "srdifx";
    if (conversion == '\0' || kKnown.find(conversion) == std::string_view::npos ||
        (conversion != 'f' && !flags.empty()))
      context.error("unsupported format in '{}'", text);
    if (next == arguments.size()) context.error("not enough arguments for the format '{}'", text);
    out += one_conversion(context, conversion, flags, arguments[next++]);
    context.charge(out.size() / 16);
  }
  if (next < arguments.size()) context.error("not all arguments were used by the format '{}'", text);
  context.charge(out.size());
  return out;
}

}  // namespace heed::text::jinja
