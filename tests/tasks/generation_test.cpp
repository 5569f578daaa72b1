#include "heed/tasks/generation.h"

#include <gtest/gtest.h>

#include "heed/base/error.h"
#include "heed/base/json.h"
#include "heed/io/model_folder.h"
#include "heed/models/gpt2.h"
#include "heed/models/weights.h"
#include "shared_files.h"
#include "tasks/byte_tokenizer.h"

namespace heed {
namespace {

using tasks::GenerationModel;

GenerationModel load(const std::string& name) {
  return GenerationModel::load(testing::source_path("tests/golden/models/" + name));
}

// A random model over bytes, with a tokenizer.
GenerationModel byte_model() {
  const models::Gpt2Config c{.d_model = 16,
                             .num_layers = 1,
                             .num_heads = 2,
                             .ffn = 32,
                             .vocab_size = 256,
                             .max_positions = 40,
                             .initializer_range = 0.5};
  auto model = std::make_shared<models::Gpt2Model>(c, Json{{"model_type", "gpt2"}, {"bos_token_id", 65}}, 5);
  GenerationModel result;
  result.generator = model.get();
  result.model = std::move(model);
  result.continues_input = true;
  result.tokenizer = std::make_shared<testing::ByteTokenizer>();
  return result;
}

tasks::GenerateOptions options_for(const GenerationModel& model, int new_tokens) {
  tasks::GenerateOptions options;
  options.decode = model.defaults();
  options.decode.max_new_tokens = new_tokens;
  options.decode.ignore_eos = true;
  return options;
}

Ragged inputs_of(const GenerationModel& model, const std::vector<std::string>& texts) {
  Ragged inputs;
  for (const auto& text : texts) inputs.append(model.encode(text));
  return inputs;
}

TEST(Generation, ServesIdsWithoutATokenizer) {
  const GenerationModel model = load("gpt2_inverse_layer_idx");
  EXPECT_EQ(model.tokenizer, nullptr);
  EXPECT_TRUE(model.continues_input);
  Ragged inputs;
  inputs.append(model.prompt({37, 38, 16, 28, 22}));
  auto options = options_for(model, 10);
  options.decode.ignore_eos = false;
  const auto results = tasks::generate(model, inputs, options);
  // As transformers generated (golden.json).
  EXPECT_EQ(results.at(0).at(0).ids, (std::vector<int32_t>{8, 8, 8, 8, 18, 18, 18, 18, 18, 18}));
  EXPECT_EQ(results[0][0].reason, tasks::FinishReason::kLength);
  EXPECT_EQ(results[0][0].text, "");
  EXPECT_THROW(model.encode("text"), UsageError);
  options.stop = {"x"};
  EXPECT_THROW(tasks::generate(model, inputs, options), UsageError);
}

TEST(Generation, DefaultsComeFromTheFolder) {
  const GenerationModel model = load("llama_inv_freq");
  const decode::Options o = model.defaults();
  EXPECT_EQ(o.eos, (std::vector<int32_t>{2, 3}));
  EXPECT_EQ(o.max_new_tokens, 256);
  EXPECT_TRUE(o.continues_input);
  EXPECT_FALSE(o.do_sample);
  EXPECT_FALSE(load("marian_separate").continues_input);
  EXPECT_THROW(load("bert_base_pooler"), ConfigError);
}

TEST(Generation, AnEmptyPromptIsTheTokenThatTextsBeginWith) {
  const GenerationModel model = byte_model();
  EXPECT_EQ(model.encode(""), (std::vector<int32_t>{65}));
  EXPECT_EQ(model.encode("x"), (std::vector<int32_t>{'x'}));
}

TEST(Generation, PiecesMakeUpTheTexts) {
  const GenerationModel model = byte_model();
  const Ragged inputs = inputs_of(model, {"some text", "a"});
  tasks::GenerateOptions options = options_for(model, 20);
  options.decode.do_sample = true;
  options.decode.n_best = 3;
  std::map<std::pair<int, int>, std::string> pieces;
  const auto results =
      tasks::generate(model, inputs, options, {}, [&](int input, int sample, const std::string& piece) {
        pieces[{input, sample}] += piece;
      });
  ASSERT_EQ(results.size(), 2u);
  for (int i = 0; i < 2; ++i)
    for (int s = 0; s < 3; ++s) {
      const auto& output = results[static_cast<size_t>(i)].at(static_cast<size_t>(s));
      EXPECT_EQ((pieces[{i, s}]), output.text);
      EXPECT_EQ(output.ids.size(), 20u);
    }
  EXPECT_NE(results[0][0].ids, results[0][1].ids);
  // Alone as in the batch.
  const auto alone = tasks::generate(model, inputs_of(model, {"a"}), options, std::vector<uint64_t>{1});
  EXPECT_EQ(alone[0][2].ids, results[1][2].ids);
}

TEST(Generation, StopStringsEndAnOutput) {
  const GenerationModel model = byte_model();
  const Ragged inputs = inputs_of(model, {"some text"});
  tasks::GenerateOptions options = options_for(model, 30);
  options.decode.do_sample = true;
  const std::string whole = tasks::generate(model, inputs, options)[0][0].text;
  ASSERT_GT(whole.size(), 8u);
  const std::string stop = whole.substr(4, 2);
  options.stop = {stop};
  const auto stopped = tasks::generate(model, inputs, options)[0][0];
  EXPECT_EQ(stopped.reason, tasks::FinishReason::kStop);
  EXPECT_EQ(stopped.text, whole.substr(0, whole.find(stop)));
  EXPECT_LT(stopped.ids.size(), 30u);
  options.decode.do_sample = false;
  options.decode.beam = 2;
  EXPECT_THROW(tasks::generate(model, inputs, options), UsageError);
}

}  // namespace
}  // namespace heed
