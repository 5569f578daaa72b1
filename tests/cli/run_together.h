// Runs the program as processes that train together, under OpenMPI's mpirun, and reads what they wrote down.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "cli/run_program.h"
#include "heed/base/json.h"
#include "heed/text/line_reader.h"
#include "shared_files.h"

namespace heed::testing {

inline constexpr const char* kLauncher = "/usr/bin/mpirun";

// Why that cannot be; empty where it can.
inline std::string why_not_together() {
  if (!std::filesystem::exists(kLauncher)) return std::string("no ") + kLauncher + " (Debian: openmpi-bin)";
  if (!std::filesystem::exists(std::filesystem::path(HEED_PROGRAM).parent_path() / "libheed_mpi.so"))
    return "Heed was built without OpenMPI (Debian: libopenmpi-dev)";
  return "";
}

#define HEED_NEEDS_PROCESSES() \
  if (const std::string why = heed::testing::why_not_together(); !why.empty()) GTEST_SKIP() << "skipped: " << why

inline ProgramResult run_together(int processes, std::vector<std::string> arguments,
                                  std::map<std::string, std::string> environment = {}) {
  arguments.insert(arguments.begin(), {"--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n",
                                       std::to_string(processes), HEED_PROGRAM});
  const std::string leaks = source_path("tests/lsan.supp").string();
  environment.insert({{"OMPI_MCA_btl_vader_single_copy_mechanism", "none"},
                      {"ASAN_OPTIONS", "fast_unwind_on_malloc=0"},
                      {"LSAN_OPTIONS", "suppressions=" + leaks + ":print_suppressions=0"}});
  return run_process(kLauncher, arguments, {.environment = std::move(environment)});
}

// Of the steps that a training's metrics.jsonl tells of.
inline std::vector<double> losses_of(const std::filesystem::path& output) {
  std::vector<double> values;
  text::LineReader reader((output / "metrics.jsonl").string());
  for (std::string line; reader.next(line);) {
    const Json record = parse_json(line, output.string());
    if (record.contains("learning_rate")) values.push_back(record["loss"]);
  }
  return values;
}

inline void expect_near(const std::vector<double>& a, const std::vector<double>& b, size_t count) {
  ASSERT_EQ(a.size(), count);
  ASSERT_EQ(b.size(), count);
  for (size_t i = 0; i < count; ++i) EXPECT_NEAR(a[i], b[i], 1e-5) << "step " << i + 1;
}

}  // namespace heed::testing
