// Llama folders: goldens/llama and every setting.
#include "heed/models/llama.h"

#include "heed/models/registry.h"
#include "models/causal_golden.h"

namespace heed {
namespace {

using testing::CausalGolden;

constexpr const char* kFolder = "goldens/llama";

TEST(LlamaGolden, HiddenStatesAttentionsAndLogits) {
  HEED_NEEDS_SHARED(kFolder);
  CausalGolden(testing::shared_path(kFolder)).outputs();
}

TEST(LlamaGolden, LossAndGradients) {
  HEED_NEEDS_SHARED(kFolder);
  CausalGolden(testing::shared_path(kFolder)).loss_and_gradients();
}

TEST(LlamaGolden, TwelveAdamWSteps) {
  HEED_NEEDS_SHARED(kFolder);
  CausalGolden(testing::shared_path(kFolder)).training(testing::recorded_batches("llama"));
}

TEST(LlamaGolden, GeneratedIds) {
  HEED_NEEDS_SHARED(kFolder);
  CausalGolden(testing::shared_path(kFolder)).generation();
}

TEST(LlamaGolden, ComesBackTensorForTensor) {
  HEED_NEEDS_SHARED(kFolder);
  CausalGolden(testing::shared_path(kFolder)).written_back();
}

TEST(Llama, UnsupportedValuesAreNamed) {
  HEED_NEEDS_SHARED(kFolder);
  const auto folder = testing::shared_path(kFolder);
  const Json longrope = {{"rope_type", "longrope"}, {"factor", 2.0}};
  const Json without_factor = {{"rope_type", "linear"}};
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{{"hidden_act", "mish"},
                                                                            {"pretraining_tp", 2},
                                                                            {"num_key_value_heads", 3},
                                                                            {"num_key_value_heads", 8},
                                                                            {"rms_norm_eps", "small"},
                                                                            {"attention_dropout", 1.5},
                                                                            {"rope_theta", 0},
                                                                            {"partial_rotary_factor", 0.5},
                                                                            {"rope_scaling", longrope},
                                                                            {"rope_scaling", without_factor},
                                                                            {"rope_parameters", longrope},
                                                                            {"head_dim", 15}})
    EXPECT_NE(testing::refusal(folder, key, value).find(key), std::string::npos)
        << testing::refusal(folder, key, value);
  EXPECT_NE(testing::refusal(folder, "rope_parameters", longrope).find("longrope"), std::string::npos);
  EXPECT_NE(testing::refusal(folder, "attention_bias", true).find("q_proj.bias"), std::string::npos);
  EXPECT_NE(testing::refusal(folder, "mlp_bias", true).find("gate_proj.bias"), std::string::npos);
  EXPECT_EQ(testing::refusal(folder, "tie_word_embeddings", true), "");
}

models::LlamaConfig tiny() {
  models::LlamaConfig c{.d_model = 32,
                        .num_layers = 2,
                        .num_heads = 4,
                        .kv_heads = 2,
                        .head_dim = 8,
                        .ffn = 48,
                        .vocab_size = 50,
                        .max_positions = 32};
  c.rotary.head_dim = 8;
  c.rotary.max_positions = 32;
  return c;
}

TEST(Llama, EverySettingMatters) {
  models::TextBatch batch;
  batch.ids.append(std::vector<int32_t>{5, 6, 7, 1, 9});
  batch.ids.append(std::vector<int32_t>{11, 12, 13});
  const auto loss_with = [&](auto change, nn::Pass pass = {}) {
    models::LlamaConfig c = tiny();
    c.initializer_range = 0.2;
    change(c);
    const NoGrad no_grad;
    return models::LlamaModel(c, {}, 3).loss(batch, models::next_tokens(batch.ids), {0, 1, pass}).loss_sum;
  };
  const double plain = loss_with([](auto&) {});
  EXPECT_EQ(plain, loss_with([](auto&) {}));
  EXPECT_NE(plain, loss_with([](auto& c) { c.activation = Activation::kGelu; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.kv_heads = 4; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.head_dim = c.rotary.head_dim = 16; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.norm_epsilon = 1e-1f; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.tie_output = true; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.rotary.base = 100; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.initializer_range = 0.1; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.attention_dropout = 0.2f; }, {true, 1, nullptr}));
}

// Prompts of different lengths, prefilled together, then fed one token at a time with rows reordered, multiplied and
// dropped: as the whole sequences at once.
TEST(Llama, StepsEqualTeacherForcing) {
  for (const auto kind : {nn::RotaryKind::kDefault, nn::RotaryKind::kDynamic}) {
    models::LlamaConfig c = tiny();
    c.initializer_range = 0.3;
    c.rotary.kind = kind;
    c.rotary.factor = 2;
    const models::LlamaModel model(c, {}, 3);
    models::TextBatch batch;
    batch.ids.append(std::vector<int32_t>{5, 6, 7, 1, 21, 22, 23});
    batch.ids.append(std::vector<int32_t>{11, 31, 32, 33, 34});
    batch.ids.append(std::vector<int32_t>{14, 15, 16, 17, 18, 19, 20, 41, 42, 43});
    const std::vector<int32_t> prompt_lengths = {4, 1, 7};
    Ragged prompts;
    for (int i = 0; i < 3; ++i)
      prompts.append(batch.ids.row(i).first(static_cast<size_t>(prompt_lengths[static_cast<size_t>(i)])));
    const NoGrad no_grad;
    const Tensor whole = model.logits(batch, {});
    auto state = model.start(prompts);
    std::vector<int32_t> of = {0, 1, 2};  // which sequence each row follows
    std::vector<int32_t> tokens = model.first_tokens(prompts);
    const auto expect_step = [&](int t) {
      const Tensor logits = state->step(tokens);
      for (size_t r = 0; r < of.size(); ++r) {
        const auto row = static_cast<size_t>(of[r]);
        const int64_t at = batch.ids.offsets[row] + prompt_lengths[row] - 1 + t;
        for (int64_t v = 0; v < 50; ++v)
          ASSERT_NEAR(logits.data<float>()[static_cast<int64_t>(r) * 50 + v], whole.data<float>()[at * 50 + v], 1e-4)
              << "row " << r << ", step " << t;
      }
    };
    const auto feed = [&](int t) {
      tokens.clear();
      for (const int32_t s : of)
        tokens.push_back(batch.ids.row(s)[static_cast<size_t>(prompt_lengths[static_cast<size_t>(s)] + t)]);
    };
    expect_step(0);
    state->select(std::vector<int32_t>{2, 0, 0, 1});
    of = {2, 0, 0, 1};
    feed(0);
    expect_step(1);
    state->select(std::vector<int32_t>{3, 0});
    of = {1, 2};
    feed(1);
    expect_step(2);
    EXPECT_EQ(state->length(), 3);
    state->truncate(1);
    EXPECT_EQ(state->length(), 1);
    feed(0);
    expect_step(1);
  }
}

TEST(Llama, SaysWhereItsPositionsEnd) {
  const models::LlamaModel model(tiny(), {}, 3);
  EXPECT_EQ(model.max_length(), 32);
  Ragged prompts;
  prompts.append(std::vector<int32_t>(32, 5));
  auto state = model.start(prompts);
  state->step(model.first_tokens(prompts));
  EXPECT_THROW(state->step(std::vector<int32_t>{5}), ShapeError);
  prompts.append(std::vector<int32_t>(33, 5));
  EXPECT_THROW(model.start(prompts), ShapeError);
  models::LlamaConfig c = tiny();
  c.rotary.kind = nn::RotaryKind::kDynamic;
  c.rotary.factor = 2;
  EXPECT_EQ(models::LlamaModel(c, {}, 3).max_length(), 64);
}

}  // namespace
}  // namespace heed
