// Files that the tests of data/ make for themselves: packed text, and the message of an expected error.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "message_of.h"
#include "shared_files.h"

namespace heed::data {

// One gzip member; one zstd frame.
std::string gzip(std::string_view text);
std::string zstd(std::string_view text);

// Writes `content` to `name` in the folder and returns the path.
std::string put(const testing::TemporaryFolder& folder, const std::string& name, std::string_view content);

// The message of the E that `run` throws; "no error" or "another error: …" if it does not.
template <class E = DataError, class Run>
std::string message_of(Run&& run) {
  return testing::message_of<E>(std::forward<Run>(run));
}

// Anonymous memory of this process in bytes, at its most so far or now.
size_t peak_memory();
size_t anonymous_memory();

}  // namespace heed::data
