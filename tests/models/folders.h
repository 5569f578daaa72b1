// The model folders that tests run over: our own tiny ones below tests/golden/models, and the shared goldens.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "heed/base/json.h"
#include "heed/models/registry.h"
#include "shared_files.h"

namespace heed::testing {

inline std::vector<std::filesystem::path> folders_below(const std::filesystem::path& parent) {
  std::vector<std::filesystem::path> folders;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(parent, error))
    if (std::filesystem::exists(entry.path() / "config.json")) folders.push_back(entry.path());
  std::ranges::sort(folders);
  return folders;
}

inline std::vector<std::filesystem::path> own_model_folders() {
  return folders_below(source_path("tests/golden/models"));
}
inline std::vector<std::filesystem::path> shared_model_folders() { return folders_below(shared_path("goldens")); }

inline std::vector<std::filesystem::path> all_model_folders() {
  auto folders = own_model_folders();
  std::ranges::move(shared_model_folders(), std::back_inserter(folders));
  return folders;
}

// The name of a parameterised test.
inline std::string folder_name(const ::testing::TestParamInfo<std::filesystem::path>& info) {
  return info.param.filename().string();
}

}  // namespace heed::testing
