// Whole text files as lines, by the rules of data/line_reader.h.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "heed/data/line_reader.h"

namespace heed::cli {

inline std::vector<std::string> read_lines(const std::filesystem::path& file) {
  data::LineReader reader(file.string());
  std::vector<std::string> lines;
  for (std::string line; reader.next(line);) lines.push_back(line);
  return lines;
}

}  // namespace heed::cli
