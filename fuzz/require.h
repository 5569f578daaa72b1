// What a fuzzer holds its subject to.
#pragma once

#include <cstdlib>

// Ends the program, which libFuzzer reports with the input, unless `condition` holds.
inline void require(bool condition) {
  if (!condition) std::abort();
}
