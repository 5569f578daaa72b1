// The edge of the library: whatever is thrown inside leaves it as one of the types of heed/error.h.
#pragma once

#include <utility>

namespace heed::api {

// To be called while an exception is handled: throws it again as a public type, with the same message.
[[noreturn]] void rethrow_as_public();

template <class Function>
decltype(auto) guarded(Function&& function) {
  try {
    return std::forward<Function>(function)();
  } catch (...) {
    rethrow_as_public();
  }
}

}  // namespace heed::api
