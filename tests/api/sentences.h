// Lines of the shared text files, for the tests of the public surface.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace heed::testing {

// The first `count` lines of a file, plain or gzip; fails the test if there are fewer.
std::vector<std::string> first_lines(const std::filesystem::path& file, size_t count);

void write_lines(const std::filesystem::path& file, const std::vector<std::string>& lines);

std::string read_all(const std::filesystem::path& file);

}  // namespace heed::testing
