// Model folders: the goldens, sharded folders good and bad, links, and replacement as a whole.
#include "heed/io/model_folder.h"

#include <gmock/gmock.h>

#include <cstring>
#include <set>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/sha256.h"
#include "io/file_image.h"
#include "shared_files.h"

namespace heed::io {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string error_of(const fs::path& folder) {
  return message_of<FormatError>([&] { ModelFolder::open(folder); });
}

const float kValues[6] = {0, 1, 2, 3, 4, 5};

NamedView view_of(const std::string& name, int64_t count) {
  return {name, {const_cast<float*>(kValues), DType::kF32, Shape{count}, count}};
}

// A folder of two shards: a, b in the first, c in the second.
class Sharded {
 public:
  Sharded() {
    write_file_atomically(folder_ / "config.json", R"({"model_type":"x"})");
    shard(1, {view_of("a", 1), view_of("b", 2)});
    shard(2, {view_of("c", 3)});
    index_ = {{"metadata", {{"total_size", 24}}}, {"weight_map", {{"a", name(1)}, {"b", name(1)}, {"c", name(2)}}}};
    write_index();
  }
  static std::string name(int i) { return fmt::format("model-{:05}-of-00002.safetensors", i); }
  void shard(int i, const std::vector<NamedView>& tensors) { write_safetensors(folder_ / name(i), tensors); }
  void write_index() { write_json(folder_ / "model.safetensors.index.json", index_); }
  Json& map() { return index_["weight_map"]; }
  Json& index() { return index_; }
  const fs::path& path() const { return folder_.path(); }
  std::string error() {
    write_index();
    return error_of(path());
  }

 private:
  testing::TemporaryFolder folder_;
  Json index_;
};

TEST(ModelFolder, OpensTheGoldens) {
  HEED_NEEDS_SHARED("goldens");
  int opened = 0;
  for (const auto& entry : fs::directory_iterator(testing::shared_path("goldens"))) {
    if (!fs::exists(entry.path() / "config.json")) continue;
    const ModelFolder model = ModelFolder::open(entry.path());
    EXPECT_EQ(model.config(), read_json(entry.path() / "config.json"));
    EXPECT_EQ(model.generation_config().has_value(), fs::exists(entry.path() / "generation_config.json"));
    EXPECT_GT(model.names().size(), 10u);
    for (const std::string& name : model.names()) {
      const TensorView view = model.view(name);
      const Tensor tensor = model.load(name, view.dtype);
      EXPECT_EQ(tensor.shape(), view.shape);
      EXPECT_EQ(std::memcmp(tensor.view().data, view.data, model.info(name).bytes), 0) << name;
    }
    EXPECT_FALSE(model.contains("absent"));
    ++opened;
  }
  EXPECT_EQ(opened, 13);
}

TEST(ModelFolder, GivenModel) {
  HEED_NEEDS_SHARED("models/marian-multi30k-en-de");
  const ModelFolder model = ModelFolder::open(testing::shared_path("models/marian-multi30k-en-de"));
  EXPECT_EQ(model.config()["model_type"], "marian");
  EXPECT_TRUE(model.has_file("source.spm"));
  EXPECT_EQ(model.file("vocab.json").filename(), "vocab.json");
  EXPECT_EQ(sha256_of_file(model.file("source.spm")), sha256_of_file(model.file("target.spm")));
  EXPECT_GE(model.files().size(), 9u);
}

TEST(ModelFolder, Shards) {
  Sharded sharded;
  const ModelFolder model = ModelFolder::open(sharded.path());
  EXPECT_THAT(model.names(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(model.load("c").to_vector<float>(), (std::vector<float>{0, 1, 2}));
  EXPECT_EQ(model.view("b").shape, Shape{2});
  EXPECT_THAT(message_of<FormatError>([&] { model.view("d"); }), HasSubstr("has no tensor \"d\""));
}

TEST(ModelFolder, ConvertsBetweenRealTypes) {
  testing::TemporaryFolder folder;
  std::vector<Float16> half{Float16(1.5f), Float16(-65504.0f)};
  std::vector<BFloat16> brain{BFloat16(3.25f), BFloat16(-1e30f)};
  std::vector<int32_t> whole{1, -2};
  write_model_folder(folder / "m", {.config = {{"model_type", "x"}},
                                    .generation_config = {},
                                    .tensors = {{"half", {half.data(), DType::kF16, Shape{2}, 2}},
                                                {"brain", {brain.data(), DType::kBF16, Shape{1, 2}, 2}},
                                                {"single", {const_cast<float*>(kValues), DType::kF32, Shape{2}, 2}},
                                                {"whole", {whole.data(), DType::kI32, Shape{2}, 2}}},
                                    .add_files = {}});
  const ModelFolder model = ModelFolder::open(folder / "m");
  EXPECT_EQ(model.load("half").to_vector<float>(), (std::vector<float>{1.5f, -65504.0f}));
  EXPECT_EQ(model.load("brain").to_vector<float>(), (std::vector<float>{3.25f, static_cast<float>(brain[1])}));
  EXPECT_EQ(model.load("brain").shape(), (Shape{1, 2}));
  EXPECT_EQ(static_cast<float>(model.load("single", DType::kBF16).to_vector<BFloat16>()[1]), 1.0f);
  EXPECT_EQ(model.load("whole", DType::kI32).to_vector<int32_t>(), whole);
  EXPECT_THAT(message_of<DTypeError>([&] { model.load("whole"); }), HasSubstr("\"whole\" is of i32, which does not"));
  EXPECT_THAT(message_of<DTypeError>([&] { model.load("half", DType::kI8); }), HasSubstr("does not convert to i8"));
}

TEST(ModelFolder, SaysWhatIsMissing) {
  testing::TemporaryFolder folder;
  EXPECT_THAT(error_of(folder / "absent"), HasSubstr("there is no such model folder"));
  EXPECT_THAT(error_of(""), HasSubstr("is empty"));
  write_file_atomically(folder / "file", "x");
  EXPECT_THAT(error_of(folder / "file"), HasSubstr("is a file; a model is a folder"));
  EXPECT_THAT(error_of(folder.path()), HasSubstr("has no config.json"));
  write_file_atomically(folder / "config.json", "[]");
  EXPECT_THAT(error_of(folder.path()), HasSubstr("config.json: expected a JSON object"));
  write_file_atomically(folder / "config.json", "{\"a\":1,\"a\":2}");
  EXPECT_THAT(error_of(folder.path()), HasSubstr("\"a\" appears twice"));
  write_file_atomically(folder / "config.json", "{}");
  EXPECT_THAT(error_of(folder.path()), HasSubstr("has no weights: neither model.safetensors nor"));
  write_file_atomically(folder / "pytorch_model.bin", "x");
  EXPECT_THAT(error_of(folder.path()), HasSubstr("has pytorch_model.bin but no model.safetensors; Heed reads safeten"));
  fs::create_directory(folder / "model.safetensors");
  EXPECT_THAT(error_of(folder.path()), HasSubstr("pytorch_model.bin"));
  fs::remove(folder / "model.safetensors");
  write_file_atomically(folder / "model.safetensors", "x");
  EXPECT_THAT(error_of(folder.path()), HasSubstr("model.safetensors: 1 bytes are too few"));
  write_safetensors(folder / "model.safetensors", {view_of("a", 1)});
  EXPECT_EQ(error_of(folder.path()), "");
  write_file_atomically(folder / "generation_config.json", "3");
  EXPECT_THAT(error_of(folder.path()), HasSubstr("generation_config.json: expected a JSON object"));
}

TEST(ModelFolder, BadIndices) {
  {
    Sharded s;
    s.index() = Json::array();
    EXPECT_THAT(s.error(), HasSubstr("index.json: expected a JSON object"));
    s.index() = Json::object();
    EXPECT_THAT(s.error(), HasSubstr("has no object \"weight_map\""));
    s.index() = {{"weight_map", 3}};
    EXPECT_THAT(s.error(), HasSubstr("has no object \"weight_map\""));
    s.index() = {{"weight_map", {{"a", nullptr}}}};
    EXPECT_THAT(s.error(), HasSubstr("the shard of tensor \"a\" is not a string"));
  }
  for (const std::string name : {"../x", "/etc/passwd", "a/b", "..", ".", ""}) {
    Sharded s;
    s.map()["c"] = name;
    EXPECT_THAT(s.error(), HasSubstr("is not the name of a file in this folder")) << name;
  }
  {
    Sharded s;
    s.map()["c"] = std::string("a\0b", 3);
    EXPECT_THAT(s.error(), HasSubstr("is not the name of a file in this folder"));
    s.map()["c"] = "elsewhere.safetensors";
    EXPECT_THAT(s.error(), HasSubstr("names the shard \"elsewhere.safetensors\", which is not there"));
    s.map()["c"] = "config.json";
    EXPECT_THAT(s.error(), HasSubstr("config.json: "));
  }
}

TEST(ModelFolder, BadShards) {
  {
    Sharded s;
    s.map()["d"] = Sharded::name(2);
    EXPECT_THAT(s.error(), HasSubstr("tensor \"d\" should be in \"model-00002-of-00002.safetensors\", which has no"));
  }
  {
    Sharded s;
    s.map().erase("b");
    EXPECT_THAT(s.error(), HasSubstr("does not map tensor \"b\" to \"model-00001-of-00002.safetensors\""));
  }
  {
    Sharded s;  // one tensor in two shards
    s.shard(2, {view_of("b", 2), view_of("c", 3)});
    EXPECT_THAT(s.error(), HasSubstr("does not map tensor \"b\" to \"model-00002-of-00002.safetensors\""));
  }
  {
    Sharded s;
    fs::resize_file(s.path() / Sharded::name(2), 20);
    EXPECT_THAT(s.error(), HasSubstr("model-00002-of-00002.safetensors: is cut short"));
  }
}

TEST(ModelFolder, LinksMustStayInside) {
  testing::TemporaryFolder folder;
  fs::create_directory(folder / "m");
  write_file_atomically(folder / "m/config.json", "{}");
  write_safetensors(folder / "outside.safetensors", {view_of("a", 1)});
  write_safetensors(folder / "m/inside.safetensors", {view_of("b", 1)});
  fs::create_symlink(folder / "outside.safetensors", folder / "m/model.safetensors");
  EXPECT_THAT(error_of(folder / "m"), HasSubstr("outside its folder"));
  fs::remove(folder / "m/model.safetensors");
  fs::create_symlink("inside.safetensors", folder / "m/model.safetensors");
  EXPECT_EQ(error_of(folder / "m"), "");
  fs::create_symlink("m", folder / "link-to-m");  // the folder itself may be reached through a link
  EXPECT_EQ(error_of(folder / "link-to-m"), "");
  fs::create_symlink("/etc/hostname", folder / "m/vocab.json");
  const ModelFolder model = ModelFolder::open(folder / "m");
  EXPECT_THAT(message_of<FormatError>([&] { model.file("vocab.json"); }), HasSubstr("outside its folder"));
  EXPECT_THAT(message_of<FormatError>([&] { model.files(); }), HasSubstr("outside its folder"));
  EXPECT_THAT(message_of<FormatError>([&] { model.file("../outside.safetensors"); }), HasSubstr("not the name of"));
  EXPECT_THAT(message_of<FormatError>([&] { model.file("absent"); }), HasSubstr("has no file absent"));
}

TEST(ModelFolder, SnapshotsOfTheHubsCache) {
  testing::TemporaryFolder folder;
  const fs::path snapshot = folder / "models--x--y/snapshots/0123";
  fs::create_directories(snapshot);
  fs::create_directories(folder / "models--x--y/blobs");
  write_file_atomically(folder / "models--x--y/blobs/aa", "{}");
  write_safetensors(folder / "models--x--y/blobs/bb", {view_of("a", 1)});
  fs::create_symlink("../../blobs/aa", snapshot / "config.json");
  fs::create_symlink("../../blobs/bb", snapshot / "model.safetensors");
  EXPECT_EQ(error_of(snapshot), "");
  fs::create_directory(folder / "blobs");
  fs::rename(folder / "models--x--y/blobs/bb", folder / "blobs/bb");
  fs::remove(snapshot / "model.safetensors");
  fs::create_symlink("../../../blobs/bb", snapshot / "model.safetensors");
  EXPECT_THAT(error_of(snapshot), HasSubstr("outside its folder"));
}

TEST(WriteModelFolder, KeepsWhatItDoesNotKnow) {
  testing::TemporaryFolder folder;
  const Json config =
      parse_json(R"({"z_unknown":[1,2.5,null,{"b":1,"a":18446744073709551615}],"model_type":"x"})", "test");
  const ModelContent content{.config = config,
                             .generation_config = Json{{"max_length", 20}},
                             .tensors = {view_of("w", 6)},
                             .add_files = [](const fs::path& f) { write_file_atomically(f / "vocab.json", "{}"); }};
  write_model_folder(folder / "m", content);
  write_file_atomically(folder / "m/stale", "x");
  write_model_folder(folder / "m", content);
  const ModelFolder model = ModelFolder::open(folder / "m");
  EXPECT_EQ(model.config().dump(), config.dump());
  EXPECT_EQ((*model.generation_config())["max_length"], 20);
  std::set<std::string> names;
  for (const fs::path& file : model.files()) names.insert(file.filename());
  EXPECT_EQ(names, (std::set<std::string>{"config.json", "generation_config.json", "model.safetensors", "vocab.json"}));
}

TEST(WriteModelFolder, FailureLeavesTheOldFolder) {
  testing::TemporaryFolder folder;
  ModelContent content{.config = {{"model_type", "old"}}, .generation_config = {}, .tensors = {}, .add_files = {}};
  write_model_folder(folder / "m", content);
  content.config["model_type"] = "new";
  content.add_files = [](const fs::path&) { throw IoError("disk full"); };
  EXPECT_THROW(write_model_folder(folder / "m", content), IoError);
  EXPECT_EQ(ModelFolder::open(folder / "m").config()["model_type"], "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(ModelFolder, RepairsAnInterruptedReplacement) {
  testing::TemporaryFolder folder;
  write_model_folder(folder / "m", {.config = {{"v", 1}}, .generation_config = {}, .tensors = {}, .add_files = {}});
  fs::rename(folder / "m", folder / ".m.old");
  EXPECT_EQ(ModelFolder::open(folder / "m").config()["v"], 1);
}

}  // namespace
}  // namespace heed::io
