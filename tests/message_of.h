// The message of an error that a test expects.
#pragma once

#include <exception>
#include <string>

#include "heed/base/error.h"

namespace heed::testing {

// The message of the E that `run` throws; "no error" or "another error: …" if it does not.
template <class E = Error, class Run>
std::string message_of(Run&& run) {
  try {
    run();
  } catch (const E& e) {
    return e.what();
  } catch (const std::exception& e) {
    return "another error: " + std::string(e.what());
  }
  return "no error";
}

}  // namespace heed::testing
