// Jinja's filters and tests, by name (those that work without HTML).
#pragma once

#include "heed/text/jinja_values.h"

namespace heed::text::jinja {

// `value | name(arguments)`. Throws FormatError for a name that is not known.
Value apply_filter(Context& context, const std::string& name, const Value& value, const Arguments& arguments);

// `value is name(arguments)`.
bool apply_test(Context& context, const std::string& name, const Value& value, const Arguments& arguments);

// The filters of one file: nullptr if `name` is not among them.
using Filter = Value (*)(Context&, const Value&, const Arguments&);
Filter text_filter(const std::string& name);
Filter sequence_filter(const std::string& name);

// JSON as Python's json.dumps writes it, with arguments ensure_ascii (false), indent, separators and sort_keys.
Value to_json(Context& context, const Value& value, const Arguments& arguments);

}  // namespace heed::text::jinja
