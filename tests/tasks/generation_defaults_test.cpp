#include "heed/tasks/generation_defaults.h"

#include <gtest/gtest.h>

#include "heed/models/registry.h"

namespace heed::tasks {
namespace {

std::unique_ptr<models::Seq2SeqModel> model_with(const Json& config_keys, const std::optional<Json>& generation) {
  Json config = {{"model_type", "bart"},         {"d_model", 4},         {"encoder_layers", 1},
                 {"decoder_layers", 1},          {"encoder_ffn_dim", 4}, {"decoder_ffn_dim", 4},
                 {"encoder_attention_heads", 1}, {"vocab_size", 40},     {"decoder_attention_heads", 1},
                 {"max_position_embeddings", 30}};
  if (config_keys.is_object()) config.update(config_keys);
  auto model = models::make_model(config, "config.json", 1);
  model->set_generation_config(generation);
  return std::unique_ptr<models::Seq2SeqModel>(dynamic_cast<models::Seq2SeqModel*>(model.release()));
}

TEST(GenerationDefaults, ReadEveryKey) {
  const Json all = {{"num_beams", 4},
                    {"length_penalty", 2.0},
                    {"early_stopping", true},
                    {"max_length", 12},
                    {"max_new_tokens", 9},
                    {"min_length", 3},
                    {"min_new_tokens", 2},
                    {"do_sample", true},
                    {"temperature", 0.5},
                    {"top_k", 7},
                    {"top_p", 0.9},
                    {"min_p", 0.1},
                    {"typical_p", 0.8},
                    {"repetition_penalty", 1.5},
                    {"no_repeat_ngram_size", 3},
                    {"bad_words_ids", {{5}, {6, 7}}},
                    {"suppress_tokens", {8}},
                    {"forced_bos_token_id", 0},
                    {"forced_eos_token_id", 2},
                    {"eos_token_id", {2, 3}},
                    {"decoder_start_token_id", 4},
                    {"penalty_alpha", 0.0},
                    {"num_return_sequences", 3},
                    {"a_key_of_the_future", 1}};
  const auto o = generation_defaults(*model_with({}, all));
  EXPECT_EQ(o.beam, 4);
  EXPECT_EQ(o.length_penalty, 2);
  EXPECT_EQ(o.early_stopping, decode::EarlyStopping::kTrue);
  EXPECT_EQ(o.max_length, 12);
  EXPECT_EQ(o.max_new_tokens, 9);
  EXPECT_EQ(o.min_length, 3);
  EXPECT_EQ(o.min_new_tokens, 2);
  EXPECT_TRUE(o.do_sample);
  EXPECT_EQ(o.temperature, 0.5f);
  EXPECT_EQ(o.top_k, 7);
  EXPECT_EQ(o.top_p, 0.9);
  EXPECT_EQ(o.min_p, 0.1);
  EXPECT_EQ(o.typical_p, 0.8);
  EXPECT_EQ(o.repetition_penalty, 1.5f);
  EXPECT_EQ(o.no_repeat_ngram_size, 3);
  EXPECT_EQ(o.bad_words_ids, (std::vector<std::vector<int32_t>>{{5}, {6, 7}}));
  EXPECT_EQ(o.suppress_tokens, std::vector<int32_t>{8});
  EXPECT_EQ(o.forced_bos, 0);
  EXPECT_EQ(o.forced_eos, std::vector<int32_t>{2});
  EXPECT_EQ(o.eos, (std::vector<int32_t>{2, 3}));
  EXPECT_EQ(o.decoder_start, 4);
}

TEST(GenerationDefaults, TheFileGoesBeforeTheConfiguration) {
  const Json config = {{"num_beams", 3}, {"early_stopping", "never"}, {"eos_token_id", 5}};
  EXPECT_EQ(generation_defaults(*model_with(config, std::nullopt)).beam, 3);
  EXPECT_EQ(generation_defaults(*model_with(config, std::nullopt)).early_stopping, decode::EarlyStopping::kNever);
  const auto o = generation_defaults(*model_with(config, Json{{"length_penalty", 0.5}}));
  EXPECT_EQ(o.beam, 1);  // as transformers does, the file alone counts where there is one
  EXPECT_EQ(o.length_penalty, 0.5);
  EXPECT_EQ(o.eos, std::vector<int32_t>{5});  // but an output must end
  EXPECT_EQ(o.max_length, 30);                // all positions
}

TEST(GenerationDefaults, TasksOverrideThem) {
  const Json config = {{"task_specific_params",
                        {{"summarization", {{"prefix", "summarize: "}, {"num_beams", 4}, {"max_length", 20}}},
                         {"translation_en_to_de", {{"prefix", "translate English to German: "}}}}}};
  const auto model = model_with(config, Json{{"num_beams", 2}, {"min_length", 1}});
  ASSERT_EQ(task_parameters(model->config()).size(), 2u);
  const TaskParameters task = find_task(model->config(), "summarization");
  EXPECT_EQ(task.prefix, "summarize: ");
  const auto o = generation_defaults(*model, task.generation);
  EXPECT_EQ(o.beam, 4);
  EXPECT_EQ(o.max_length, 20);
  EXPECT_EQ(o.min_length, 1);
  try {
    find_task(model->config(), "translation");
    ADD_FAILURE();
  } catch (const UsageError& e) {
    EXPECT_NE(std::string(e.what()).find("translation_en_to_de"), std::string::npos) << e.what();
  }
}

TEST(GenerationDefaults, WhatIsNotSupportedIsNamed) {
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{{"num_beam_groups", 2},
                                                                            {"penalty_alpha", 0.6},
                                                                            {"max_time", 2.5},
                                                                            {"stop_strings", {"e"}},
                                                                            {"token_healing", true},
                                                                            {"encoder_no_repeat_ngram_size", 3},
                                                                            {"early_stopping", "sometimes"},
                                                                            {"early_stopping", 3},
                                                                            {"num_beams", 0},
                                                                            {"max_length", 1LL << 31},
                                                                            {"forced_bos_token_id", 40},
                                                                            {"bad_words_ids", 3}}) {
    try {
      generation_defaults(*model_with({}, Json{{key, value}}));
      ADD_FAILURE() << key << " was taken";
    } catch (const ConfigError& e) {
      EXPECT_NE(std::string(e.what()).find(key), std::string::npos) << e.what();
    }
  }
  EXPECT_EQ(generation_defaults(*model_with({}, Json{{"num_beam_groups", 1}, {"guidance_scale", nullptr}})).beam, 1);
}

}  // namespace
}  // namespace heed::tasks
