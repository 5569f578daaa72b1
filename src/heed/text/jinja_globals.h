// The functions that every chat template may call: range, dict, namespace, raise_exception, strftime_now.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "heed/text/jinja_values.h"

namespace heed::text::jinja {

std::vector<std::pair<std::string, Value>> global_functions(Context& context);

}  // namespace heed::text::jinja
