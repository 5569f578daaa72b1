// What BART folders may say. Their numbers: seq2seq_golden_test.cpp.
#include "heed/models/bart.h"

#include <gtest/gtest.h>

#include <cmath>

#include "heed/io/model_folder.h"
#include "heed/models/registry.h"
#include "heed/models/save.h"
#include "shared_files.h"

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
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{{"activation_function", "mish"},
                                                                            {"normalize_before", true},
                                                                            {"normalize_embedding", false},
                                                                            {"encoder_layerdrop", 0.1},
                                                                            {"d_model", 0},
                                                                            {"d_model", 17},
                                                                            {"vocab_size", -1},
                                                                            {"pad_token_id", 40},
                                                                            {"dropout", 1.5},
                                                                            {"is_encoder_decoder", false},
                                                                            {"architectures", {"BartForCausalLM"}},
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

Json with_head(const char* architecture) {
  Json config = tiny_config();
  config["architectures"] = {architecture};
  return config;
}

models::TextBatch two_texts() {
  models::TextBatch batch;
  batch.ids.append(std::vector<int32_t>{0, 5, 2, 6, 7, 2});
  batch.ids.append(std::vector<int32_t>{0, 9, 2});
  return batch;
}

std::vector<float> logits_of(const models::Model& model, const models::TextBatch& batch, const nn::Pass& pass = {}) {
  const NoGrad no_grad;
  return dynamic_cast<const models::EncoderModel&>(model).logits(batch, pass).to_vector<float>();
}

TEST(BartHeads, HaveLabelsAndReadToTheLastEndOfText) {
  Json config = with_head("BartForSequenceClassification");
  const auto model = models::make_model(config, "config.json", 3);
  const auto& encoder = dynamic_cast<const models::EncoderModel&>(*model);
  EXPECT_EQ(encoder.labels().size(), 3u);  // as transformers' configuration has it where none are named
  const auto both = logits_of(*model, two_texts());
  ASSERT_EQ(both.size(), 6u);
  // A row alone gives what it gives in a batch, whatever stands behind its last end of text.
  models::TextBatch one;
  one.ids.append(std::vector<int32_t>{0, 9, 2});
  EXPECT_EQ(logits_of(*model, one), std::vector<float>(both.begin() + 3, both.end()));
  models::TextBatch longer;
  longer.ids.append(std::vector<int32_t>{0, 9, 2, 1, 1});
  longer.visible = {3};
  EXPECT_EQ(logits_of(*model, longer), logits_of(*model, one));
  models::TextBatch without;
  without.ids.append(std::vector<int32_t>{0, 9});
  EXPECT_THROW(logits_of(*model, without), DataError);
  without.ids = {};
  without.ids.append(std::vector<int32_t>(10, 2));  // one more than there are positions
  EXPECT_THROW(logits_of(*model, without), DataError);
  const nn::Pass training{true, 1, nullptr};
  EXPECT_EQ(logits_of(*model, one, training), logits_of(*model, one));
  config["classifier_dropout"] = 0.5;
  const auto dropping = models::make_model(config, "config.json", 3);
  EXPECT_EQ(logits_of(*dropping, one), logits_of(*model, one));
  EXPECT_NE(logits_of(*dropping, one, training), logits_of(*dropping, one));
  const auto answers = models::make_model(with_head("BartForQuestionAnswering"), "config.json", 3);
  EXPECT_EQ(logits_of(*answers, two_texts()).size(), 2u * 9u);
  const auto base = models::make_model(with_head("BartModel"), "config.json", 3);
  EXPECT_THROW(logits_of(*base, one), UsageError);
}

// A head is laid on what was pretrained to write; and what has been trained writes again.
TEST(BartHeads, StandOnWhatWrites) {
  const testing::TemporaryFolder folder;
  const auto source = io::ModelFolder::open(testing::source_path("tests/golden/models/bart_forced_bos"));
  models::NewModel wanted;
  wanted.head = models::Head::kSequenceClassification;
  wanted.labels = {"no", "yes"};
  wanted.ids = {1, 0, 2};
  const auto made = models::load_with_head(source, wanted, 5);
  const std::vector<std::string> fresh = {"classification_head.dense.weight", "classification_head.dense.bias",
                                          "classification_head.out_proj.weight", "classification_head.out_proj.bias"};
  EXPECT_EQ(made.fresh, fresh);
  EXPECT_EQ(dynamic_cast<const models::EncoderModel&>(*made.model).labels(), wanted.labels);
  io::write_model_folder(folder / "head", models::content_of(*made.model, nullptr));
  const auto written = io::ModelFolder::open(folder / "head");
  EXPECT_FALSE(written.contains("final_logits_bias"));
  const auto again = models::load_model(written);
  EXPECT_EQ(logits_of(*again, two_texts()), logits_of(*made.model, two_texts()));
  // Back to writing: the stacks are all there is, the bias of the logits is zero as it begins.
  wanted.head = models::Head::kNone;
  wanted.labels = {};
  const auto writer = models::load_with_head(written, wanted, 5);
  EXPECT_TRUE(writer.fresh.empty());
  EXPECT_NE(dynamic_cast<const models::Seq2SeqModel*>(writer.model.get()), nullptr);
}

}  // namespace
}  // namespace heed
