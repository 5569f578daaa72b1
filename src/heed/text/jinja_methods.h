// Methods of strings, lists and dictionaries, and the attributes of `loop`, as templates call them. Those that would
// change a value do not exist, as in transformers' sandbox.
#pragma once

#include "heed/text/jinja_values.h"

namespace heed::text::jinja {

bool has_method(const Value& object, std::string_view name);
// The method bound to `object`; has_method() must hold.
Value method(Context& context, const Value& object, const std::string& name);

// loop.index, loop.first, loop.cycle …
Value loop_attribute(Context& context, const Value& loop, const std::string& name);

// The arguments of a function: by place or name, of the type that is asked for. Throws FormatError naming the function.
class Reader {
 public:
  Reader(Context& context, std::string_view function, const Arguments& arguments)
      : context_(context), function_(function), arguments_(arguments) {}

  const Value& require(size_t place, std::string_view name) const;
  const Value* find(size_t place, std::string_view name) const;  // nullptr: not given or none
  const std::string& text(size_t place, std::string_view name) const;
  std::string text(size_t place, std::string_view name, const std::string& otherwise) const;
  int64_t integer(size_t place, std::string_view name, int64_t otherwise) const;
  bool flag(size_t place, std::string_view name, bool otherwise) const;

 private:
  Context& context_;
  std::string_view function_;
  const Arguments& arguments_;
};

// `text` % arguments, Python's %-formatting of %s, %d, %i, %r, %f, %x and %%.
std::string format_percent(Context& context, const std::string& text, const std::vector<Value>& arguments);

}  // namespace heed::text::jinja
