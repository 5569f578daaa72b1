// tests/golden/images: tiny images of every kind, and what Pillow and transformers make of them
// (tools/record_goldens/images.py).
#pragma once

#include <string>
#include <vector>

#include "heed/base/json.h"
#include "heed/base/sha256.h"
#include "heed/data/image.h"
#include "shared_files.h"

namespace heed::testing {

inline std::filesystem::path image_golden(const std::string& name) { return source_path("tests/golden/images") / name; }

// The hash that the goldens hold of an array.
template <class T>
std::string golden_hash(const std::vector<T>& values) {
  return sha256_hex({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)}).substr(0, 16);
}

}  // namespace heed::testing
