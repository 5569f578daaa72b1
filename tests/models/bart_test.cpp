// What BART folders may say. Their numbers: seq2seq_golden_test.cpp.
#include "heed/models/bart.h"

#include <gtest/gtest.h>

#include <cmath>

#include "heed/models/registry.h"

namespace heed {
namespace {

Json tiny_config() {
  return {{"model_type", "bart"},
          {"d_model", 16},
          {"encoder_layers", 2},
          {"decoder_layers", 1},
          {"encoder_ffn_dim", 24},
          {"decoder_ffn_dim", 32},
          {"encoder_attention_heads", 4},
          {"vocab_size", 40},
          {"decoder_attention_heads", 2},
          {"max_position_embeddings", 9},
          {"activation_dropout", 0},
          {"dropout", 0},
          {"init_std", 0.5}};
}

double loss_of(const Json& config) {
  const NoGrad no_grad;
  const auto model = models::make_model(config, "config.json", 3);
  models::Seq2SeqBatch batch;
  batch.source.append(std::vector<int32_t>{0, 5, 6, 7, 2});
  batch.target.append(std::vector<int32_t>{9, 8, 2});
  return dynamic_cast<models::Seq2SeqModel&>(*model).loss(batch, {0, 1, {}}).loss_sum;
}

TEST(Bart, EveryKeyMattersOrIsRefused) {
  const double plain = loss_of(tiny_config());
  const auto with = [](const std::string& key, const Json& value) {
    Json config = tiny_config();
    config[key] = value;
    return config;
  };
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{{"activation_function", "relu"},
                                                                            {"scale_embedding", true},
                                                                            {"tie_word_embeddings", false},
                                                                            {"encoder_attention_heads", 2},
                                                                            {"decoder_attention_heads", 4},
                                                                            {"encoder_layers", 1},
                                                                            {"decoder_start_token_id", 4},
                                                                            {"init_std", 0.1}})
    EXPECT_NE(loss_of(with(key, value)), plain) << key;
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, Json>>{{"activation_function", "mish"},
                                                 {"normalize_before", true},
                                                 {"normalize_embedding", false},
                                                 {"encoder_layerdrop", 0.1},
                                                 {"d_model", 0},
                                                 {"d_model", 17},
                                                 {"vocab_size", -1},
                                                 {"pad_token_id", 40},
                                                 {"dropout", 1.5},
                                                 {"is_encoder_decoder", false},
                                                 {"architectures", {"BartForSequenceClassification"}},
                                                 {"max_position_embeddings", 1LL << 31}}) {
    try {
      loss_of(with(key, value));
      ADD_FAILURE() << key << " was taken";
    } catch (const ConfigError& e) {
      EXPECT_NE(std::string(e.what()).find(key), std::string::npos) << e.what();
    }
  }
}

TEST(Bart, NewModelsBeginAsTransformersBeginsThem) {
  Json config = tiny_config();
  config.erase("init_std");
  const auto model = models::make_model(config, "config.json", 3);
  for (const auto& [name, tensor] : model->parameters().named()) {
    const auto values = tensor.to_vector<float>();
    double squares = 0;
    for (const float x : values) squares += static_cast<double>(x) * x;
    const double deviation = std::sqrt(squares / static_cast<double>(values.size()));
    if (name.ends_with("bias")) EXPECT_EQ(deviation, 0) << name;
    else if (name.find("norm") != std::string::npos) EXPECT_EQ(deviation, 1) << name;
    else EXPECT_NEAR(deviation, 0.02, 0.005) << name;
    if (name != "model.shared.weight") continue;
    for (size_t c = 16; c < 32; ++c) EXPECT_EQ(values[c], 0);  // the padding's row
  }
}

}  // namespace
}  // namespace heed
