// heed convert as a process: types, shards, the same bytes twice, what it does not know kept.
#include <gmock/gmock.h>

#include <filesystem>
#include <map>

#include "cli/run_program.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "heed/io/model_folder.h"
#include "shared_files.h"

namespace heed {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::run_heed;

std::map<std::string, std::string> files_of(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(folder))
    files[entry.path().filename().string()] = read_file(entry.path());
  return files;
}

class Convert : public ::testing::Test {
 protected:
  Convert() {
    fs::create_directory(source_);
    for (const char* name : {"model.safetensors", "generation_config.json"})
      fs::copy(testing::source_path("tests/golden/models/marian_separate") / name, source_ / name);
    config_ = read_json(testing::source_path("tests/golden/models/marian_separate") / "config.json");
    config_["a_key_of_the_future"] = {{"list", {1, nullptr, "x"}}};
    write_json(source_ / "config.json", config_);
    write_file_atomically(source_ / "tokenizer_config.json", "{\"spaces\":   \"kept\"}");
  }
  testing::ProgramResult run(const std::string& output, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {
        "convert", "--model", source_.string(), "--output", (folder_ / output).string(), "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_heed(arguments);
  }

  testing::TemporaryFolder folder_;
  const fs::path source_ = folder_ / "source";
  Json config_;
};

TEST_F(Convert, KeepsWhatItDoesNotKnow) {
  const auto result = run("out");
  ASSERT_EQ(result.exit_code, 0) << result.error;
  const auto in = io::ModelFolder::open(source_), out = io::ModelFolder::open(folder_ / "out");
  EXPECT_EQ(out.config(), config_);
  EXPECT_EQ(out.generation_config(), in.generation_config());
  EXPECT_EQ(read_file(folder_ / "out" / "tokenizer_config.json"), "{\"spaces\":   \"kept\"}");
  ASSERT_EQ(out.names(), in.names());
  for (const std::string& name : in.names()) {
    EXPECT_EQ(out.info(name).dtype, in.info(name).dtype);
    EXPECT_EQ(out.load(name).to_vector<float>(), in.load(name).to_vector<float>()) << name;
  }
}

TEST_F(Convert, WritesTheTypeAndTheShardsThatWereAskedFor) {
  for (const char* name : {"half", "again"})
    ASSERT_EQ(run(name, {"--dtype", "bf16", "--max-shard-size", "2.5KB"}).exit_code, 0);
  EXPECT_EQ(files_of(folder_ / "half"), files_of(folder_ / "again"));
  const auto half = io::ModelFolder::open(folder_ / "half"), in = io::ModelFolder::open(source_);
  EXPECT_EQ(half.config().at("dtype"), "bfloat16");
  EXPECT_EQ(half.config().at("a_key_of_the_future"), config_.at("a_key_of_the_future"));
  for (const std::string& name : half.names()) {
    EXPECT_EQ(half.info(name).dtype, "BF16");
    const Tensor rounded = half.load(name), exact = in.load(name);
    for (int64_t i = 0; i < exact.numel(); ++i)
      ASSERT_EQ(rounded.data<float>()[i], static_cast<float>(BFloat16(exact.data<float>()[i]))) << name;
  }
  int shards = 0;
  for (const auto& [name, bytes] : files_of(folder_ / "half")) {
    if (!name.starts_with("model-")) continue;
    ++shards;
    const auto shard = io::SafeTensors::open(folder_ / "half" / name);
    uint64_t size = 0;
    for (const std::string& tensor : shard.names()) size += shard.info(tensor).bytes;
    EXPECT_TRUE(size <= 2500 || shard.size() == 1) << name;
  }
  EXPECT_GT(shards, 2);
}

TEST_F(Convert, RefusesWhatItCannotWrite) {
  fs::create_directory(folder_ / "there");
  const auto there = run("there");
  EXPECT_EQ(there.exit_code, 2);
  EXPECT_THAT(there.error, HasSubstr("is there already"));
  EXPECT_EQ(run("x", {"--dtype", "int3"}).exit_code, 2);
  EXPECT_EQ(run("x", {"--max-shard-size", "2 potatoes"}).exit_code, 2);
  fs::resize_file(source_ / "model.safetensors", fs::file_size(source_ / "model.safetensors") - 1);
  EXPECT_EQ(run("x").exit_code, 3);
  EXPECT_FALSE(fs::exists(folder_ / "x"));
}

}  // namespace
}  // namespace heed
