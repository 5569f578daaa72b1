// libheed.so exports what the public headers mark with HEED_API, and nothing else; the headers need no others but the
// standard library's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <regex>
#include <set>
#include <sstream>

#include "api/sentences.h"

namespace heed {
namespace {

std::vector<std::string> output_lines(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string text;
  char buffer[4096];
  for (size_t n; pipe && (n = std::fread(buffer, 1, sizeof buffer, pipe.get())) > 0;) text.append(buffer, n);
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<std::filesystem::path> public_headers() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(HEED_INCLUDE)) files.push_back(entry.path());
  return files;
}

// The classes and functions marked with HEED_API.
std::set<std::string> marked_names() {
  std::set<std::string> names;
  const std::regex type(R"(\n(?:class|struct) HEED_API (\w+))"), function(R"(\nHEED_API [^\n(]*?(\w+)\()");
  for (const auto& file : public_headers()) {
    const std::string text = testing::read_all(file);
    for (const auto& pattern : {type, function})
      for (std::sregex_iterator i(text.begin(), text.end(), pattern), end; i != end; ++i) names.insert((*i)[1]);
  }
  return names;
}

TEST(Exports, AreWhatTheHeadersMark) {
  const std::vector<std::string> lines =
      output_lines(std::string(HEED_NM) + " -D -C --defined-only --format=posix '" + HEED_LIBRARY + "'");
  ASSERT_FALSE(lines.empty());
  const std::regex symbol(R"(^(?:typeinfo for |typeinfo name for |vtable for )?heed::(\w+)\b.*)");
  std::set<std::string> exported;
  const std::set<std::string> marked = marked_names();
  for (const std::string& line : lines) {
    std::smatch match;
    ASSERT_TRUE(std::regex_match(line, match, symbol)) << "exported, but no public name of heed: " << line;
    EXPECT_TRUE(marked.contains(match[1])) << "exported, but not marked with HEED_API: " << line;
    exported.insert(match[1]);
  }
  EXPECT_THAT(exported, ::testing::ContainerEq(marked));
  EXPECT_THAT(marked, ::testing::IsSupersetOf({"Translator", "train_translation", "set_log", "Exception"}));
}

TEST(Exports, HeadersIncludeThemselvesAndTheStandardLibraryOnly) {
  const std::regex include(R"(\n#include ([<"])([^>"]+)[>"])");
  size_t seen = 0;
  for (const auto& file : public_headers()) {
    const std::string text = testing::read_all(file);
    for (std::sregex_iterator i(text.begin(), text.end(), include), end; i != end; ++i, ++seen) {
      const std::string name = (*i)[2];
      const bool good = (*i)[1] == "<" ? std::regex_match(name, std::regex("[a-z_]+"))
                                       : exists(std::filesystem::path(HEED_INCLUDE).parent_path() / name);
      EXPECT_TRUE(good) << file << " includes " << name;
    }
  }
  EXPECT_GT(seen, 10u);
}

}  // namespace
}  // namespace heed
