#include "heed/cli/version.h"

#include <fmt/format.h>

#include "heed/base/threads.h"

namespace heed::cli {
namespace {

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "gcc " __VERSION__;
#endif
}

std::string architecture() {
#if defined(__x86_64__)
  return "x86-64";
#elif defined(__aarch64__)
  return "aarch64";
#else
  return "other";
#endif
}

}  // namespace

std::string version() { return HEED_VERSION; }

std::vector<std::string> cpu_features() {
  std::vector<std::string> features;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx")) features.emplace_back("avx");
  if (__builtin_cpu_supports("fma")) features.emplace_back("fma");
  if (__builtin_cpu_supports("avx2")) features.emplace_back("avx2");
  if (__builtin_cpu_supports("avx512f")) features.emplace_back("avx512f");
  if (__builtin_cpu_supports("avx512bw")) features.emplace_back("avx512bw");
  if (__builtin_cpu_supports("avx512vnni")) features.emplace_back("avx512vnni");
  if (__builtin_cpu_supports("avx512bf16")) features.emplace_back("avx512bf16");
#endif
  return features;
}

std::string version_text() {
  const std::vector<std::string> features = cpu_features();
  return fmt::format("heed {}\nbuild: {}, {}\nCPU: {}, {} cores, {}\n", version(), HEED_BUILD_TYPE, compiler(),
                     architecture(), core_count(),
                     features.empty() ? "no known features" : fmt::format("{}", fmt::join(features, " ")));
}

}  // namespace heed::cli
