// Finding the shared goldens, models and data: in the folder named by HEED_SHARED, by default ../shared beside the
// source. A test that lacks them is skipped with a line that names what is missing.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace heed::testing {

// The path of `name` (e.g. "goldens/paper") below the shared folder, whether it exists or not.
std::filesystem::path shared_path(const std::string& name);

// The path of `name` (e.g. "tests/golden/x") below the project's root.
std::filesystem::path source_path(const std::string& name);

// A fresh folder for a test's files, deleted with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace heed::testing

// Skips the test unless the shared file or folder is there.
#define HEED_NEEDS_SHARED(name)                                               \
  if (!std::filesystem::exists(heed::testing::shared_path(name)))             \
  GTEST_SKIP() << "skipped: no " << heed::testing::shared_path(name).string() \
               << " (set HEED_SHARED to the folder of shared test files)"
