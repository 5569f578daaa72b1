// Text files as lines: whole ones, by the rules of text/line_reader.h, and what shall take one line of them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "heed/text/line_reader.h"

namespace heed::cli {

inline std::vector<std::string> read_lines(const std::filesystem::path& file) {
  text::LineReader reader(file.string());
  std::vector<std::string> lines;
  for (std::string line; reader.next(line);) lines.push_back(line);
  return lines;
}

// A text as one line: its line ends as \n.
inline std::string one_line(std::string text) {
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) text.replace(at, 1, "\\n");
  return text;
}

}  // namespace heed::cli
