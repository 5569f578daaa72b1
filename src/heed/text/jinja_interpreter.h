// Runs a parsed template. Scopes are Jinja's: a `for`, a `with`, a macro and a generation block have their own, an `if`
// has none, and only attributes of a namespace reach out of one. Nothing outside is touched; time and memory are
// bounded by the Context.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "heed/text/jinja_syntax.h"

namespace heed::text::jinja {

// The text of a template whose variables are `variables`. Throws FormatError naming the line, DataError for what the
// template refuses by raise_exception.
std::string render(Context& context, const Body& body, std::vector<std::pair<std::string, Value>> variables);

}  // namespace heed::text::jinja
