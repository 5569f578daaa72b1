// Python's operators on the values of a template.
#pragma once

#include "heed/text/jinja_values.h"

namespace heed::text::jinja {

// a OP b for + - * / // % **. Integers that do not fit 64 bits are an error.
Value arithmetic(Context& context, std::string_view op, const Value& a, const Value& b);

// a OP b for == != < <= > >= in "not in".
bool compare(Context& context, std::string_view op, const Value& a, const Value& b);

Value negative(Context& context, const Value& value);

}  // namespace heed::text::jinja
