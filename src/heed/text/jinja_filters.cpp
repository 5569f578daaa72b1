#include "heed/text/jinja_filters.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <map>

#include "heed/base/utf8.h"
#include "heed/text/jinja_methods.h"
#include "heed/text/python_text.h"

namespace heed::text::jinja {
namespace {

template <std::string (*kFunction)(std::string_view)>
Value mapped(Context& context, const Value& value, const Arguments&) {
  const std::string text = text_of(context, value);
  return context.string(kFunction(text));
}

Value trim(Context& context, const Value& value, const Arguments& arguments) {
  const Reader in(context, "trim", arguments);
  const std::string text = text_of(context, value);
  const auto set = in.find(0, "chars") ? std::optional<std::string_view>(in.text(0, "chars")) : std::nullopt;
  return context.string(std::string(python_strip(text, set, true, true)));
}

// Jinja's own: a word begins behind white space and - ( { [ <.
std::string title_words(std::string_view text) {
  std::string out, word;
  const auto finish = [&] {
    out += python_capitalize(word);
    word.clear();
  };
  while (!text.empty()) {
    const CodePoint point = decode_utf8(text);
    const std::string_view character = text.substr(0, point.length);
    const bool splits = is_python_space(point.value) || std::string_view("-({[<").find(character) != std::string::npos;
    if (splits) {
      finish();
      out += character;
    } else word += character;
    text.remove_prefix(point.length);
  }
  finish();
  return out;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '\'') out += "&#39;";
    else if (c == '"') out += "&#34;";
    else out += c;
  }
  return out;
}

Value replace(Context& context, const Value& value, const Arguments& arguments) {
  const Value text = context.string(text_of(context, value));
  return method(context, text, "replace").callable()->call(arguments);
}

Value indent(Context& context, const Value& value, const Arguments& arguments) {
  const Reader in(context, "indent", arguments);
  const Value* width = in.find(0, "width");
  const int64_t columns = width && width->string() ? 0 : in.integer(0, "width", 4);
  context.charge(static_cast<uint64_t>(std::max<int64_t>(columns, 0)));
  const std::string by = width && width->string()
                             ? *width->string()
                             : std::string(static_cast<size_t>(std::max<int64_t>(columns, 0)), ' ');
  const std::string text = text_of(context, value) + "\n";
  const bool blank = in.flag(2, "blank", false);
  std::string out = in.flag(1, "first", false) ? by : "";
  bool first = true;
  for (const std::string_view line : python_split_lines(text, false)) {
    if (!std::exchange(first, false)) out.append("\n").append(blank || !line.empty() ? by : "");
    out += line;
    context.charge(by.size());
  }
  return context.string(std::move(out));
}

Value to_string(Context& context, const Value& value, const Arguments&) {
  return value.string() ? value : context.string(text_of(context, value));
}

Value same(Context&, const Value& value, const Arguments&) { return value; }

std::optional<double> float_of(std::string_view text) {
  text = python_strip(text, {}, true, true);
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size()) return {};
  return number;
}

Value to_int(Context& context, const Value& value, const Arguments& arguments) {
  const Reader in(context, "int", arguments);
  const Value* otherwise = arguments.find(0, "default");
  Value missing = otherwise ? *otherwise : Value(int64_t{0});
  if (const auto i = as_integer(value)) return Value(*i);
  std::optional<double> number = as_number(value);
  if (const auto* s = value.string()) {
    std::string_view text = python_strip(*s, {}, true, true);
    if (text.starts_with('+')) text.remove_prefix(1);
    int64_t whole = 0;
    const int64_t base = in.integer(1, "base", 10);
    if (base < 2 || base > 36) context.error("int: expected a base of 2 to 36, got {}", base);
    const auto read = std::from_chars(text.data(), text.data() + text.size(), whole, static_cast<int>(base));
    if (!text.empty() && read.ec == std::errc() && read.ptr == text.data() + text.size()) return Value(whole);
    number = float_of(text);
  }
  if (!number || !std::isfinite(*number)) return missing;
  if (std::abs(*number) >= 9.2e18) context.error("int: {} is out of range", *number);
  return Value(static_cast<int64_t>(*number));
}

Value to_float(Context&, const Value& value, const Arguments& arguments) {
  const Value* otherwise = arguments.find(0, "default");
  if (const auto number = as_number(value)) return Value(*number);
  if (const auto* s = value.string())
    if (const auto number = float_of(*s)) return Value(*number);
  return otherwise ? *otherwise : Value(0.0);
}

Value absolute(Context& context, const Value& value, const Arguments&) {
  if (const auto* r = value.real()) return Value(std::abs(*r));
  const auto number = as_integer(value);
  if (!number || *number == INT64_MIN) context.error("abs: expected a number, got {}", value.type_name());
  return Value(std::abs(*number));
}

Value round_number(Context& context, const Value& value, const Arguments& arguments) {
  const Reader in(context, "round", arguments);
  const int64_t precision = in.integer(0, "precision", 0);
  const std::string how = in.text(1, "method", "common");
  const auto number = as_number(value);
  if (!number) context.error("round: expected a number, got {}", value.type_name());
  if (precision < -300 || precision > 300) context.error("round: precision {} is out of range", precision);
  if (how == "common") {
    if (value.integer() && precision >= 0) return value;
    if (precision < 0) {
      const double scale = std::pow(10.0, static_cast<double>(-precision));
      return Value(std::nearbyint(*number / scale) * scale);
    }
    return Value(std::stod(fmt::format("{:.{}f}", *number, precision)));  // rounds the exact binary value, as Python
  }
  if (how != "ceil" && how != "floor") context.error("round: expected common, ceil or floor, got '{}'", how);
  const double scale = std::pow(10.0, static_cast<double>(precision));
  return Value((how == "ceil" ? std::ceil(*number * scale) : std::floor(*number * scale)) / scale);
}

Value otherwise(Context&, const Value& value, const Arguments& arguments) {
  const Value* replacement = arguments.find(0, "default_value");
  const Value* boolean = arguments.find(1, "boolean");
  const bool missing = value.is_undefined() || (boolean && truth(*boolean) && !truth(value));
  if (!missing) return value;
  return replacement ? *replacement : Value(std::string());
}

Value format(Context& context, const Value& value, const Arguments& arguments) {
  if (!arguments.named.empty()) context.error("format: named arguments are not supported");
  return context.string(format_percent(context, text_of(context, value), arguments.positional));
}

Value word_count(Context& context, const Value& value, const Arguments&) {
  const std::string text = text_of(context, value);
  return Value(static_cast<int64_t>(python_split(text, {}, -1, false).size()));
}

}  // namespace

Filter text_filter(const std::string& name) {
  static const std::map<std::string_view, Filter> kFilters = {{"trim", trim},
                                                              {"upper", mapped<python_upper>},
                                                              {"lower", mapped<python_lower>},
                                                              {"capitalize", mapped<python_capitalize>},
                                                              {"title", mapped<title_words>},
                                                              {"escape", mapped<escaped>},
                                                              {"e", mapped<escaped>},
                                                              {"replace", replace},
                                                              {"indent", indent},
                                                              {"string", to_string},
                                                              {"safe", same},
                                                              {"int", to_int},
                                                              {"float", to_float},
                                                              {"abs", absolute},
                                                              {"round", round_number},
                                                              {"default", otherwise},
                                                              {"d", otherwise},
                                                              {"format", format},
                                                              {"wordcount", word_count},
                                                              {"tojson", to_json}};
  const auto found = kFilters.find(name);
  return found == kFilters.end() ? nullptr : found->second;
}

Value apply_filter(Context& context, const std::string& name, const Value& value, const Arguments& arguments) {
  const Nesting guard(context);
  Filter filter = text_filter(name);
  if (!filter) filter = sequence_filter(name);
  if (!filter) context.error("there is no filter '{}'", name);
  return filter(context, value, arguments);
}

}  // namespace heed::text::jinja
