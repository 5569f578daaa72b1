// Files that tests make for themselves, packed or not, and the memory that reading them takes.
#pragma once

#include <string>
#include <string_view>

#include "shared_files.h"

namespace heed::testing {

// One gzip member; one zstd frame.
std::string gzip(std::string_view text);
std::string zstd(std::string_view text);

// Writes `content` to `name` in the folder and returns the path.
std::string put(const TemporaryFolder& folder, const std::string& name, std::string_view content);

// Anonymous memory of this process in bytes, at its most so far or now.
size_t peak_memory();
size_t anonymous_memory();

}  // namespace heed::testing
