// What T5 folders may say, and its relative positions. Its numbers: seq2seq_golden_test.cpp.
#include "heed/models/t5.h"

#include <gtest/gtest.h>

#include <cmath>

#include "heed/models/registry.h"
#include "heed/models/weights.h"
#include "shared_files.h"

namespace heed {
namespace {

Json tiny_config() {
  return {{"model_type", "t5"}, {"d_model", 16},  {"d_kv", 6},       {"d_ff", 24},
          {"num_layers", 2},    {"num_heads", 4}, {"vocab_size", 40}};
}

models::Seq2SeqBatch batch() {
  models::Seq2SeqBatch b;
  b.source.append(std::vector<int32_t>{5, 6, 7, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 1});
  b.target.append(std::vector<int32_t>{9, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 1});
  return b;
}

double loss_of(const Json& config, const nn::Pass& pass = {}) {
  const NoGrad no_grad;
  const auto model = models::make_model(config, "config.json", 3);
  return dynamic_cast<models::Seq2SeqModel&>(*model).loss(batch(), {0, 1, pass}).loss_sum;
}

TEST(T5, EveryKeyMattersOrIsRefused) {
  const double plain = loss_of(tiny_config());
  const auto with = [](const std::string& key, const Json& value) {
    Json config = tiny_config();
    config[key] = value;
    return config;
  };
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{{"feed_forward_proj", "gated-gelu"},
                                                                            {"feed_forward_proj", "silu"},
                                                                            {"dense_act_fn", "gelu"},
                                                                            {"is_gated_act", true},
                                                                            {"tie_word_embeddings", false},
                                                                            {"scale_decoder_outputs", false},
                                                                            {"num_heads", 2},
                                                                            {"d_kv", 5},
                                                                            {"num_decoder_layers", 1},
                                                                            {"relative_attention_num_buckets", 8},
                                                                            {"relative_attention_max_distance", 20},
                                                                            {"layer_norm_epsilon", 0.1},
                                                                            {"initializer_factor", 0.5},
                                                                            {"decoder_start_token_id", 4}})
    EXPECT_NE(loss_of(with(key, value)), plain) << key;
  const nn::Pass training{true, 1, nullptr};
  EXPECT_NE(loss_of(with("dropout_rate", 0.3), training), loss_of(tiny_config(), training));
  EXPECT_EQ(loss_of(with("dropout_rate", 0.0), training), plain);
  EXPECT_EQ(loss_of(with("num_decoder_layers", nullptr)), plain);
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{{"feed_forward_proj", "gated-mish"},
                                                                            {"feed_forward_proj", 3},
                                                                            {"relative_attention_num_buckets", 2},
                                                                            {"relative_attention_max_distance", 16},
                                                                            {"num_layers", 0},
                                                                            {"d_kv", 1LL << 31},
                                                                            {"eos_token_id", 40},
                                                                            {"dropout_rate", -1},
                                                                            {"layer_norm_epsilon", "small"},
                                                                            {"is_decoder", true},
                                                                            {"architectures", {"T5EncoderModel"}}}) {
    try {
      loss_of(with(key, value));
      ADD_FAILURE() << key << " was taken";
    } catch (const ConfigError& e) {
      EXPECT_NE(std::string(e.what()).find(key), std::string::npos) << e.what();
    }
  }
}

// Whether the output projection is tied is what the folder's tensors say, whatever the configuration does.
TEST(T5, TheFolderSaysWhetherTheHeadIsTied) {
  testing::TemporaryFolder folder;
  Json config = tiny_config();
  config["tie_word_embeddings"] = false;
  const auto untied = models::make_model(config, "config.json", 3);
  const auto logits = [](const models::Model& m) {
    const NoGrad no_grad;
    return dynamic_cast<const models::Seq2SeqModel&>(m).logits(batch(), {}).to_vector<float>();
  };
  auto tensors = models::named_views(untied->parameters());
  io::write_model_folder(folder / "old", {config, {}, tensors, {}});
  config["tie_word_embeddings"] = true;  // as transformers 5 writes it for the same model
  config["scale_decoder_outputs"] = false;
  io::write_model_folder(folder / "new", {config, {}, tensors, {}});
  for (const char* name : {"old", "new"}) {
    const auto loaded = models::load_model(io::ModelFolder::open(folder / name));
    EXPECT_EQ(logits(*loaded), logits(*untied)) << name;
    EXPECT_EQ(loaded->parameters().named().size(), tensors.size()) << name;
  }
  // A copy of the embedding is a tied head.
  for (auto& t : tensors)
    if (t.name == "lm_head.weight") t.view = tensors[0].view;
  ASSERT_EQ(tensors[0].name, "shared.weight");
  io::write_model_folder(folder / "copy", {config, {}, tensors, {}});
  const auto copied = models::load_model(io::ModelFolder::open(folder / "copy"));
  EXPECT_EQ(copied->parameters().named().size(), tensors.size() - 1);
  EXPECT_EQ(copied->config(), config);
  EXPECT_NE(logits(*copied), logits(*untied));
}

TEST(T5, NewModelsBeginWithTheLossOfAGuess) {
  Json config = tiny_config();
  config["d_model"] = 64;
  config["vocab_size"] = 400;
  for (const bool tied : {false, true}) {
    config["tie_word_embeddings"] = tied;
    const auto model = models::make_model(config, "config.json", 3);
    const NoGrad no_grad;
    const auto targets = static_cast<double>(batch().target.tokens());
    const double loss = dynamic_cast<const models::Seq2SeqModel&>(*model).loss(batch(), {0, targets, {}}).loss.item();
    EXPECT_NEAR(loss, std::log(400), 1.5) << tied;
  }
}

TEST(T5, NewModelsBeginAsTransformersBeginsThem) {
  Json config = tiny_config();
  config["initializer_factor"] = 2.0;
  config["d_model"] = 32;
  config["vocab_size"] = 200;
  const auto model = models::make_model(config, "config.json", 3);
  for (const auto& [name, tensor] : model->parameters().named()) {
    const auto values = tensor.to_vector<float>();
    double squares = 0;
    for (const float x : values) squares += static_cast<double>(x) * x;
    const double deviation = std::sqrt(squares / static_cast<double>(values.size()));
    double expected = 2 / std::sqrt(32.0);
    if (name.ends_with("layer_norm.weight") || name == "shared.weight") expected = 2;
    else if (name.ends_with(".q.weight")) expected = 2 / std::sqrt(32.0 * 6);
    else if (name.ends_with(".o.weight")) expected = 2 / std::sqrt(4.0 * 6);
    else if (name.ends_with(".wo.weight")) expected = 2 / std::sqrt(24.0);
    EXPECT_NEAR(deviation / expected, 1, 0.2) << name;
  }
}

// What transformers' T5Attention._relative_position_bucket gives.
TEST(RelativePositions, BucketsAreThoseOfT5) {
  const auto buckets = [](const nn::RelativePositionConfig& c, const std::vector<int>& distances) {
    std::vector<int> result;
    for (const int d : distances) result.push_back(nn::relative_position_bucket(d, c));
    return result;
  };
  const std::vector<int> distances = {-500, -128, -127, -91, -90, -64, -46, -32, -23, -16, -12, -11, -8,
                                      -7,   -1,   0,    1,   7,   8,   12,  16,  64,  91,  128, 500};
  EXPECT_EQ(buckets({4, 32, 128, true}, distances), (std::vector<int>{15, 15, 15, 15, 14, 14, 13, 12, 11, 10, 9,  8, 8,
                                                                      7,  1,  0,  17, 23, 24, 25, 26, 30, 31, 31, 31}));
  EXPECT_EQ(buckets({4, 32, 128, false}, distances),
            (std::vector<int>{31, 31, 31, 29, 29, 26, 24, 21, 18, 16, 12, 11, 8, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(buckets({4, 8, 10, true}, {-12, -10, -9, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 5, 9, 10}),
            (std::vector<int>{3, 3, 3, 3, 3, 2, 2, 2, 1, 0, 5, 6, 6, 7, 7, 7}));
}

}  // namespace
}  // namespace heed
