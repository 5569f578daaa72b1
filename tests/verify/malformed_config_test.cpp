// Every key of every family's config.json, set to what should not stand there: an error that names the key, or a model
// that works; no crash, within bounded time and memory.
#include <sys/resource.h>

#include <fstream>

#include "heed/io/model_folder.h"
#include "heed/verify/batches.h"
#include "models/folders.h"

namespace heed::verify {
namespace {

namespace fs = std::filesystem;

std::vector<Json> bad_values() {
  return {-1,
          0,
          1,
          int64_t{1} << 31,
          uint64_t{1} << 63,
          1e308,
          nullptr,
          "a text",
          "bf?",
          Json::array(),
          {1, 2},
          Json::object()};
}

// The keys of an object and of the objects in it, as paths.
void collect_keys(const Json& object, const Json::json_pointer& at, std::vector<Json::json_pointer>& keys) {
  for (const auto& [key, value] : object.items()) {
    keys.push_back(at / key);
    if (value.is_object() && key != "id2label" && key != "label2id") collect_keys(value, at / key, keys);
  }
}

class MalformedConfig : public ::testing::TestWithParam<fs::path> {
 protected:
  void SetUp() override {
    for (const auto& entry : fs::directory_iterator(GetParam()))
      if (entry.path().filename().string().starts_with("model")) fs::copy(entry.path(), folder_.path());
    config_ = read_json(GetParam() / "config.json");
    golden_ = std::make_unique<io::SafeTensors>(io::SafeTensors::open(GetParam() / "golden.safetensors"));
  }

  // The error of loading the folder with this configuration; empty if it loads. A model that loads must run, or say
  // why it does not.
  std::string load_and_run(const Json& config) {
    std::ofstream(folder_ / "config.json") << config.dump();
    std::unique_ptr<models::Model> model;
    try {
      model = models::load_model(io::ModelFolder::open(folder_.path()));
    } catch (const Error& e) {
      return e.what();
    }
    try {
      const NoGrad no_grad;
      const Batch batch = read_batch(*golden_, "in.", *model);
      const auto* encoder = dynamic_cast<const models::EncoderModel*>(model.get());
      if (encoder && encoder->head() == models::Head::kNone) encoder->hidden(batch.text(), {});
      else logits_of(*model, batch, {});
    } catch (const Error&) {}
    return "";
  }

  testing::TemporaryFolder folder_;
  Json config_;
  std::unique_ptr<io::SafeTensors> golden_;
};

TEST_P(MalformedConfig, IsRefusedByKeyOrWorks) {
  ASSERT_EQ(load_and_run(config_), "");
  std::vector<Json::json_pointer> keys;
  collect_keys(config_, Json::json_pointer(), keys);
  int cases = 0, refused = 0;
  for (const auto& key : keys)
    for (const Json& value : bad_values()) {
      Json config = config_;
      config[key] = value;
      SCOPED_TRACE(key.to_string() + " = " + value.dump());
      std::string error;
      ASSERT_NO_THROW(error = load_and_run(config));
      if (!error.empty()) {
        EXPECT_NE(error.find(key.back()), std::string::npos) << error;
      }
      ++cases;
      refused += !error.empty();
    }
  EXPECT_GT(refused, cases / 20);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  EXPECT_LT(usage.ru_maxrss, 600 << 10);  // kilobytes
}

INSTANTIATE_TEST_SUITE_P(Own, MalformedConfig, ::testing::ValuesIn(testing::own_model_folders()), testing::folder_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(MalformedConfig);

}  // namespace
}  // namespace heed::verify
