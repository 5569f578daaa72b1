// What Marian folders may say. Their numbers: seq2seq_golden_test.cpp.
#include "heed/models/marian.h"

#include "heed/io/model_folder.h"
#include "heed/models/registry.h"
#include "shared_files.h"

namespace heed {
namespace {

TEST(Marian, UnsupportedValuesAreNamed) {
  HEED_NEEDS_SHARED("goldens/marian");
  const auto reason = [](const std::string& key, const Json& value) -> std::string {
    testing::TemporaryFolder folder;
    std::filesystem::copy(testing::shared_path("goldens/marian/model.safetensors"), folder / "model.safetensors");
    Json config = read_json(testing::shared_path("goldens/marian/config.json"));
    config[key] = value;
    write_json(folder / "config.json", config);
    try {
      models::load_seq2seq(io::ModelFolder::open(folder.path()));
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{{"activation_function", "mish"},
                                                                            {"normalize_before", true},
                                                                            {"d_model", -1},
                                                                            {"d_model", "x"},
                                                                            {"encoder_layers", 0},
                                                                            {"encoder_attention_heads", 1LL << 40},
                                                                            {"pad_token_id", 99999},
                                                                            {"dropout", 2},
                                                                            {"encoder_layerdrop", 0.5},
                                                                            {"model_type", "unheard-of"},
                                                                            {"scale_embedding", "yes"}})
    EXPECT_NE(reason(key, value).find(key), std::string::npos) << key << ": " << reason(key, value);
  EXPECT_NE(reason("encoder_layers", 3).find("model.encoder.layers.2"), std::string::npos);  // missing tensors by name
  EXPECT_NE(reason("encoder_layers", 1).find("model.encoder.layers.1"), std::string::npos);  // unexpected ones
  EXPECT_NE(reason("vocab_size", 1200).find("1201"), std::string::npos) << reason("vocab_size", 1200);
  EXPECT_EQ(reason("a_key_of_the_future", 3), "");
}

}  // namespace
}  // namespace heed
