#include "api/sentences.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>
#include <iterator>

namespace heed::testing {

std::vector<std::string> first_lines(const std::filesystem::path& file, size_t count) {
  std::vector<std::string> lines;
  const gzFile in = gzopen(file.c_str(), "rb");  // reads plain files too
  char buffer[1 << 16];
  while (in != nullptr && lines.size() < count && gzgets(in, buffer, sizeof buffer) != nullptr) {
    std::string line = buffer;
    if (!line.empty() && line.back() == '\n') line.pop_back();
    lines.push_back(line);
  }
  if (in != nullptr) gzclose(in);
  EXPECT_EQ(lines.size(), count) << file;
  return lines;
}

void write_lines(const std::filesystem::path& file, const std::vector<std::string>& lines) {
  std::ofstream out(file, std::ios::binary);
  for (const std::string& line : lines) out << line << '\n';
}

std::string read_all(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace heed::testing
