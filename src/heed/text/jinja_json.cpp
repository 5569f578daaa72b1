#include <algorithm>
#include <cmath>
#include <iterator>

#include "heed/base/utf8.h"
#include "heed/text/jinja_filters.h"
#include "heed/text/jinja_methods.h"
#include "heed/text/python_text.h"

namespace heed::text::jinja {
namespace {

// Python's json.dumps.
class Writer {
 public:
  Writer(Context& context, const Arguments& arguments) : context_(context), in_(context, "tojson", arguments) {
    ascii_ = in_.flag(0, "ensure_ascii", false);
    sort_ = in_.flag(3, "sort_keys", false);
    if (const Value* indent = in_.find(1, "indent")) {
      pretty_ = true;
      if (indent->string()) indent_ = *indent->string();
      else indent_ = std::string(static_cast<size_t>(std::clamp<int64_t>(in_.integer(1, "indent", 0), 0, 64)), ' ');
      item_end_.pop_back();
    }
    if (const Value* separators = in_.find(2, "separators")) {
      const std::vector<Value> two = iterate(context_, *separators);
      if (two.size() != 2 || !two[0].string() || !two[1].string()) context_.error("tojson: expected two separators");
      item_end_ = *two[0].string();
      key_end_ = *two[1].string();
    }
  }

  std::string run(const Value& value) {
    write(value, 0);
    return std::move(out_);
  }

 private:
  void line(int level) {
    if (!pretty_) return;
    out_ += '\n';
    for (int i = 0; i < level; ++i) out_ += indent_;
  }

  void write(const Value& value, int level) {
    const Nesting guard(context_);
    const size_t before = out_.size();
    if (value.is_none()) out_ += "null";
    else if (const auto* b = value.boolean()) out_ += *b ? "true" : "false";
    else if (const auto* i = value.integer()) out_ += std::to_string(*i);
    else if (const auto* r = value.real()) out_ += number(*r);
    else if (const auto* s = value.string()) quoted(*s);
    else if (value.list() && value.list()->kind != ListKind::kGenerator) list(*value.list(), level);
    else if (const auto* d = value.dict()) dict(*d, level);
    else context_.error("a value of type {} cannot be written as JSON", value.type_name());
    context_.charge(out_.size() - before + 32);
  }

  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    return python_repr(value);
  }

  void list(const List& list, int level) {
    out_ += '[';
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out_ += item_end_;
      line(level + 1);
      write(list.items[i], level + 1);
    }
    if (!list.items.empty()) line(level);
    out_ += ']';
  }

  void dict(const Dict& dict, int level) {
    std::vector<std::pair<Value, Value>> entries = dict.entries;
    if (sort_)
      std::stable_sort(entries.begin(), entries.end(),
                       [&](const auto& a, const auto& b) { return less(context_, a.first, b.first); });
    out_ += '{';
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) out_ += item_end_;
      line(level + 1);
      const Value& key = entries[i].first;
      if (key.string()) quoted(*key.string());
      else if (key.is_none()) quoted("null");
      else if (key.boolean()) quoted(*key.boolean() ? "true" : "false");
      else quoted(key.real() ? number(*key.real()) : repr(context_, key));
      out_ += key_end_;
      write(entries[i].second, level + 1);
    }
    if (!entries.empty()) line(level);
    out_ += '}';
  }

  void quoted(std::string_view text) {
    context_.charge(text.size());
    constexpr std::string_view kPlain = "\"\\\n\r\t\b\f", kNames = "\"\\nrtbf";
    out_ += '"';
    while (!text.empty()) {
      const CodePoint point = decode_utf8(text);
      const size_t at = point.value < 0x80 ? kPlain.find(static_cast<char>(point.value)) : std::string_view::npos;
      if (at != std::string_view::npos) (out_ += '\\') += kNames[at];
      else if (point.value < 0x20 || (ascii_ && point.value > 0x7E)) escape(point.value);
      else out_ += text.substr(0, point.length);
      text.remove_prefix(point.length);
    }
    out_ += '"';
  }

  void escape(char32_t c) {
    if (c >= 0x10000) {
      escape(0xD800 + ((c - 0x10000) >> 10));
      c = 0xDC00 + ((c - 0x10000) & 0x3FF);
    }
    // Python leaves DEL as it is.
    if (c == 0x7F) out_ += '\x7F';
    else fmt::format_to(std::back_inserter(out_), "\\u{:04x}", static_cast<uint32_t>(c));
  }

  Context& context_;
  const Reader in_;
  bool ascii_ = false, sort_ = false, pretty_ = false;
  std::string indent_, item_end_ = ", ", key_end_ = ": ";
  std::string out_;
};

}  // namespace

Value to_json(Context& context, const Value& value, const Arguments& arguments) {
  return context.string(Writer(context, arguments).run(value));
}

}  // namespace heed::text::jinja
