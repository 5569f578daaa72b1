// Every folder that Heed reads comes back tensor for tensor, byte for byte the same each time; types and shards.
#include "heed/models/save.h"

#include <cstring>

#include "heed/base/files.h"
#include "models/folders.h"

namespace heed::models {
namespace {

namespace fs = std::filesystem;

// Files of two folders are the same, byte for byte.
void expect_same_files(const fs::path& a, const fs::path& b) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(a)) names.push_back(entry.path().filename().string());
  EXPECT_EQ(std::distance(fs::directory_iterator(b), fs::directory_iterator()), std::ssize(names));
  for (const std::string& name : names) EXPECT_EQ(read_file(a / name), read_file(b / name)) << name;
}

std::vector<std::byte> bytes_of(const io::ModelFolder& folder, const std::string& name) {
  std::vector<std::byte> bytes(folder.info(name).bytes);
  folder.read(name, 0, bytes);
  return bytes;
}

class Saved : public ::testing::TestWithParam<fs::path> {};

TEST_P(Saved, ComesBackTensorForTensor) {
  const auto before = io::ModelFolder::open(GetParam());
  const auto model = load_model(before);
  testing::TemporaryFolder folder;
  io::write_model_folder(folder / "one", content_of(*model, &before));
  const auto after = io::ModelFolder::open(folder / "one");
  EXPECT_EQ(after.config(), before.config());
  EXPECT_EQ(after.generation_config(), before.generation_config());
  const WeightRules rules = model->weight_rules();
  size_t compared = 0;
  for (const std::string& name : before.names()) {
    const auto parameter = parameter_for(model->parameters(), rules, name);
    if (!parameter) continue;  // a buffer
    ASSERT_TRUE(after.contains(*parameter)) << *parameter;
    EXPECT_EQ(after.info(*parameter).dtype, before.info(name).dtype);
    EXPECT_EQ(after.info(*parameter).shape, before.info(name).shape);
    EXPECT_EQ(bytes_of(after, *parameter), bytes_of(before, name)) << name;
    ++compared;
  }
  EXPECT_GT(compared, 0u);
  for (const char* file : {"tokenizer.json", "tokenizer_config.json"})
    if (before.has_file(file)) {
      EXPECT_EQ(read_file(folder / "one" / file), read_file(GetParam() / file));
    }
  // And once more, from what was written, loaded to be run: bf16 has stayed bf16.
  const auto again = load_model(after, for_inference());
  io::write_model_folder(folder / "two", content_of(*again, &after));
  expect_same_files(folder / "one", folder / "two");
}

INSTANTIATE_TEST_SUITE_P(Folders, Saved, ::testing::ValuesIn(testing::all_model_folders()), testing::folder_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Saved);

TEST(Save, ShardsAndTypes) {
  const auto source = io::ModelFolder::open(testing::source_path("tests/golden/models/marian_separate"));
  const auto model = load_model(source);
  testing::TemporaryFolder folder;
  io::write_model_folder(folder / "half", content_of(*model, &source, {DType::kBF16, 2500}));
  const auto half = io::ModelFolder::open(folder / "half");
  EXPECT_TRUE(fs::exists(folder / "half" / "model.safetensors.index.json"));
  EXPECT_FALSE(fs::exists(folder / "half" / "model.safetensors"));
  EXPECT_EQ(half.config().at("dtype"), "bfloat16");
  const Json index = read_json(folder / "half" / "model.safetensors.index.json");
  uint64_t total = 0;
  for (const std::string& name : half.names()) {
    EXPECT_EQ(half.info(name).dtype, "BF16");
    total += half.info(name).bytes;
    const Tensor rounded = half.load(name), exact = source.load(name);
    for (int64_t i = 0; i < exact.numel(); ++i)
      ASSERT_EQ(rounded.data<float>()[i], static_cast<float>(BFloat16(exact.data<float>()[i]))) << name;
  }
  EXPECT_EQ(index.at("metadata").at("total_size"), total);
  std::set<std::string> files;
  for (const auto& [name, file] : index.at("weight_map").items()) files.insert(file.get<std::string>());
  EXPECT_GT(files.size(), 2u);
  for (const std::string& file : files) {
    const auto shard = io::SafeTensors::open(folder / "half" / file);
    uint64_t bytes = 0;
    for (const std::string& name : shard.names()) bytes += shard.info(name).bytes;
    EXPECT_TRUE(bytes <= 2500 || shard.size() == 1) << file;
  }
  // What bf16 holds, f32 holds too: widened again it is the same model.
  const auto narrow = load_model(half);
  io::write_model_folder(folder / "wide", content_of(*narrow, &half, {DType::kF32}));
  const auto wide = load_model(io::ModelFolder::open(folder / "wide"));
  const Tensor &a = narrow->parameters().values(), &b = wide->parameters().values();
  EXPECT_EQ(std::memcmp(a.data<float>(), b.data<float>(), static_cast<size_t>(a.numel()) * sizeof(float)), 0);
}

}  // namespace
}  // namespace heed::models
