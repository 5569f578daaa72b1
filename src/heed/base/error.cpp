#include "heed/base/error.h"

#include <system_error>

namespace heed {

std::string errno_text(int code) { return std::generic_category().message(code); }

}  // namespace heed
