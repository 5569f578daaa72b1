#include "shared_files.h"

#include <cstdlib>
#include <stdexcept>

namespace heed::testing {

std::filesystem::path shared_path(const std::string& name) {
  const char* root = std::getenv("HEED_SHARED");
  return (root ? std::filesystem::path(root) : source_path("../shared")) / name;
}

std::filesystem::path source_path(const std::string& name) { return std::filesystem::path(HEED_SOURCE_DIR) / name; }

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "heed-test-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw std::runtime_error("cannot create " + pattern);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace heed::testing
