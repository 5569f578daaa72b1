// A family stands in its own files and in one line of the registry: no other source includes it or asks for it by name.
// Names of tokenizer components (text/) are not those of families.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "heed/base/files.h"
#include "shared_files.h"

namespace heed {
namespace {

namespace fs = std::filesystem;

const std::set<std::string> kFamilies{"bart",  "bert",   "distilbert", "gpt2", "heed-transformer",
                                      "llama", "marian", "roberta",    "t5",   "vit"};

// Training from scratch and the benchmarks make the encoder-decoder of the paper, which Marian's folders hold.
const std::set<std::string> kMakeMarian{"tasks/translation_training.cpp", "cli/bench_model.cpp", "cli/bench_model.h"};

TEST(FamilyNames, StandInTheirFilesAndTheRegistryAlone) {
  const fs::path root = testing::source_path("src/heed");
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const std::string name = fs::relative(entry.path(), root).string();
    if (!name.ends_with(".cpp") && !name.ends_with(".h")) continue;
    if (name.starts_with("text/") || name == "models/registry.cpp") continue;
    ++files;
    const std::string source = read_file(entry.path());
    for (const std::string& family : kFamilies) {
      if (name.starts_with("models/" + family + ".") ||
          (family == "heed-transformer" && name.starts_with("models/marian.")))
        continue;
      if (family == "marian" && kMakeMarian.contains(name)) continue;
      EXPECT_EQ(source.find("\"heed/models/" + family + ".h\""), std::string::npos) << name << " includes " << family;
      EXPECT_EQ(source.find('"' + family + '"'), std::string::npos) << name << " names " << family;
    }
  }
  EXPECT_GT(files, 200);
}

TEST(FamilyNames, FilesStayShort) {
  for (const std::string& family : kFamilies)
    for (const char* ending : {".cpp", ".h"}) {
      const fs::path file = testing::source_path("src/heed/models/" + family + ending);
      if (!fs::exists(file)) continue;
      const std::string source = read_file(file);
      EXPECT_LE(std::count(source.begin(), source.end(), '\n'), 400) << file;
    }
}

}  // namespace
}  // namespace heed
