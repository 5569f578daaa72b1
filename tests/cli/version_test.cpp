#include "heed/cli/version.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <regex>

#include "heed/base/files.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using ::testing::HasSubstr;

TEST(Version, IsThatOfTheProject) {
  std::smatch match;
  const std::string cmake = read_file(heed::testing::source_path("CMakeLists.txt"));
  ASSERT_TRUE(std::regex_search(cmake, match, std::regex("project\\(heed VERSION ([0-9.]+)")));
  EXPECT_EQ(version(), match[1].str());
}

TEST(Version, TextNamesBuildCompilerAndCpu) {
  EXPECT_THAT(version_text(), HasSubstr("heed " + version() + "\n"));
  EXPECT_THAT(version_text(), HasSubstr("build: "));
  EXPECT_THAT(version_text(), HasSubstr("CPU: "));
#if defined(__GNUC__) && !defined(__clang__)
  EXPECT_THAT(version_text(), HasSubstr("gcc " __VERSION__));
#endif
}

// The kernel's list of the same CPU is the oracle.
TEST(Version, FeaturesAreThoseOfTheKernel) {
  std::ifstream info("/proc/cpuinfo");
  std::string line, flags;
  while (std::getline(info, line) && flags.empty())
    if (line.starts_with("flags")) flags = line + " ";
  if (flags.empty()) GTEST_SKIP() << "skipped: no flags in /proc/cpuinfo";
  const std::vector<std::string> features = cpu_features();
  for (const auto& [name, kernel_name] :
       std::vector<std::pair<std::string, std::string>>{{"avx2", "avx2"},
                                                        {"fma", "fma"},
                                                        {"avx512f", "avx512f"},
                                                        {"avx512bf16", "avx512_bf16"},
                                                        {"avx512vnni", "avx512_vnni"}}) {
    const bool in_kernel = flags.find(" " + kernel_name + " ") != std::string::npos;
    EXPECT_EQ(std::find(features.begin(), features.end(), name) != features.end(), in_kernel) << name;
  }
}

}  // namespace
}  // namespace heed::cli
