// Small helpers for tests that make safetensors files by hand.
#pragma once

#include <cstdint>
#include <string>

#include "heed/base/error.h"

namespace heed::io {

// The bytes of a safetensors file with this header and data.
inline std::string file_image(const std::string& header, const std::string& data = {}) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}

// The message of the E that `body` throws; empty if it throws none.
template <class E, class Body>
std::string message_of(Body body) {
  try {
    body();
  } catch (const E& e) {
    return e.what();
  }
  return {};
}

}  // namespace heed::io
