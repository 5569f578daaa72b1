// GPT-2 folders: goldens/gpt2, the bare model's names, and every setting.
#include "heed/models/gpt2.h"

#include "heed/models/registry.h"
#include "heed/models/weights.h"
#include "models/causal_golden.h"

namespace heed {
namespace {

using testing::CausalGolden;

constexpr const char* kFolder = "goldens/gpt2";

TEST(Gpt2Golden, HiddenStatesAttentionsAndLogits) {
  HEED_NEEDS_SHARED(kFolder);
  CausalGolden(testing::shared_path(kFolder)).outputs();
}

TEST(Gpt2Golden, LossAndGradients) {
  HEED_NEEDS_SHARED(kFolder);
  CausalGolden(testing::shared_path(kFolder)).loss_and_gradients();
}

TEST(Gpt2Golden, TwelveAdamWSteps) {
  HEED_NEEDS_SHARED(kFolder);
  CausalGolden(testing::shared_path(kFolder)).training(testing::recorded_batches("gpt2"));
}

TEST(Gpt2Golden, GeneratedIds) {
  HEED_NEEDS_SHARED(kFolder);
  CausalGolden(testing::shared_path(kFolder)).generation();
}

TEST(Gpt2Golden, ComesBackTensorForTensor) {
  HEED_NEEDS_SHARED(kFolder);
  CausalGolden(testing::shared_path(kFolder)).written_back();
}

// As openai-community/gpt2 is: no "transformer." before names, and masks among them.
TEST(Gpt2, ReadsTheBareModelsNames) {
  HEED_NEEDS_SHARED(kFolder);
  const auto whole = io::ModelFolder::open(testing::shared_path(kFolder));
  const auto model = models::load_model(whole);
  std::vector<io::NamedView> views = models::named_views(model->parameters());
  for (auto& view : views) view.name = view.name.substr(std::string("transformer.").size());
  const Tensor mask = Tensor::zeros({1, 1, 4, 4});
  views.push_back({"h.0.attn.bias", mask.view()});
  testing::TemporaryFolder folder;
  io::write_model_folder(folder / "m", {model->config(), {}, views, {}});
  const auto bare = models::load_model(io::ModelFolder::open(folder / "m"));
  for (const auto& [name, tensor] : bare->parameters().named())
    testing::expect_same(tensor.view(), whole.view(name), {0, 0}, name);
}

TEST(Gpt2, UnsupportedValuesAreNamed) {
  HEED_NEEDS_SHARED(kFolder);
  const auto folder = testing::shared_path(kFolder);
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{{"activation_function", "mish"},
                                                                            {"add_cross_attention", true},
                                                                            {"n_embd", 0},
                                                                            {"n_layer", 1 << 20},
                                                                            {"n_positions", "x"},
                                                                            {"resid_pdrop", 1},
                                                                            {"layer_norm_epsilon", -1}})
    EXPECT_NE(testing::refusal(folder, key, value).find(key), std::string::npos)
        << testing::refusal(folder, key, value);
  EXPECT_NE(testing::refusal(folder, "n_head", 5).find("5 heads"), std::string::npos);
  EXPECT_NE(testing::refusal(folder, "n_layer", 3).find("transformer.h.2."), std::string::npos);
  EXPECT_NE(testing::refusal(folder, "n_layer", 1).find("transformer.h.1."), std::string::npos);
  EXPECT_NE(testing::refusal(folder, "tie_word_embeddings", false).find("lm_head.weight"), std::string::npos);
  EXPECT_EQ(testing::refusal(folder, "reorder_and_upcast_attn", true), "");
}

TEST(Gpt2, EverySettingMatters) {
  models::TextBatch batch;
  batch.ids.append(std::vector<int32_t>{5, 6, 7, 1, 9});
  batch.ids.append(std::vector<int32_t>{11, 12, 13});
  const auto loss_with = [&](auto change, nn::Pass pass = {}) {
    models::Gpt2Config c{
        .d_model = 32, .num_layers = 2, .num_heads = 4, .ffn = 64, .vocab_size = 50, .max_positions = 16};
    c.embedding_dropout = c.attention_dropout = c.dropout = 0;
    change(c);
    const NoGrad no_grad;
    return models::Gpt2Model(c, {}, 3).loss(batch, models::next_tokens(batch.ids), {0, 1, pass}).loss_sum;
  };
  const double plain = loss_with([](auto&) {});
  EXPECT_EQ(plain, loss_with([](auto&) {}));
  EXPECT_NE(plain, loss_with([](auto& c) { c.activation = Activation::kRelu; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.num_heads = 2; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.norm_epsilon = 1e-2f; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.scale_attention = false; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.scale_attention_by_layer = true; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.tie_output = false; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.initializer_range = 0.1; }));
  const nn::Pass training{true, 1, nullptr};
  EXPECT_EQ(plain, loss_with([](auto&) {}, training));
  EXPECT_NE(plain, loss_with([](auto& c) { c.embedding_dropout = 0.2f; }, training));
  EXPECT_NE(plain, loss_with([](auto& c) { c.attention_dropout = 0.2f; }, training));
  EXPECT_NE(plain, loss_with([](auto& c) { c.dropout = 0.2f; }, training));
}

// Weights of new models: the configured deviation, smaller where blocks add to the residual stream.
TEST(Gpt2, InitialValues) {
  models::Gpt2Config c{
      .d_model = 64, .num_layers = 8, .num_heads = 4, .ffn = 256, .vocab_size = 500, .max_positions = 64};
  const models::Gpt2Model model(c, {}, 7);
  for (const auto& [name, tensor] : model.parameters().named()) {
    if (!name.ends_with(".weight") || tensor.shape().rank() != 2) continue;
    double square = 0;
    for (const float x : tensor.to_vector<float>()) square += static_cast<double>(x) * x;
    const double expected = name.ends_with("c_proj.weight") ? 0.02 / 4 : 0.02;
    EXPECT_NEAR(std::sqrt(square / static_cast<double>(tensor.numel())) / expected, 1, 0.05) << name;
  }
}

}  // namespace
}  // namespace heed
