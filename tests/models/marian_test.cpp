// Marian folders: goldens/marian forward, backward and trained, and the folder written back.
#include "heed/models/marian.h"

#include "heed/io/model_folder.h"
#include "heed/models/registry.h"
#include "heed/models/weights.h"
#include "heed/optim/clipping.h"
#include "heed/tensor/backends.h"
#include "models/golden.h"
#include "shared_files.h"

namespace heed {
namespace {

using models::MarianModel;

class MarianGolden : public ::testing::Test {
 protected:
  void SetUp() override {
    HEED_NEEDS_SHARED("goldens/marian");
    model_ = models::load_seq2seq(io::ModelFolder::open(folder_));
    golden_ = std::make_unique<io::SafeTensors>(io::SafeTensors::open(folder_ / "golden.safetensors"));
    batch_ = testing::read_batch(*golden_, "in.");
  }

  std::filesystem::path folder_ = testing::shared_path("goldens/marian");
  std::unique_ptr<models::Seq2SeqModel> model_;
  std::unique_ptr<io::SafeTensors> golden_;
  models::Seq2SeqBatch batch_;
};

TEST_F(MarianGolden, HiddenStatesAndLogits) {
  for (const bool gradients : {false, true}) {
    const auto off = gradients ? nullptr : std::make_unique<NoGrad>();
    nn::Trace trace;
    nn::Pass pass;
    pass.trace = &trace;
    testing::expect_rows(model_->logits(batch_, pass), batch_.target, golden_->view("out.logits"),
                         testing::kOutputBound, "logits");
    for (size_t i = 0; i < trace.encoder_states.size(); ++i) {
      const std::string name = fmt::format("out.encoder_hidden_states.{}", i);
      testing::expect_rows(trace.encoder_states[i], batch_.source, golden_->view(name), testing::kOutputBound, name);
    }
    for (size_t i = 0; i < trace.decoder_states.size(); ++i) {
      const std::string name = fmt::format("out.decoder_hidden_states.{}", i);
      testing::expect_rows(trace.decoder_states[i], batch_.target, golden_->view(name), testing::kOutputBound, name);
    }
    EXPECT_EQ(trace.encoder_states.size(), 3u);
    EXPECT_EQ(trace.decoder_states.size(), 3u);
  }
}

TEST_F(MarianGolden, Attentions) {
  nn::Trace trace;
  nn::Pass pass;
  pass.trace = &trace;
  model_->logits(batch_, pass);
  const auto compare = [&](const std::vector<std::vector<Tensor>>& layers, const std::string& name) {
    ASSERT_EQ(layers.size(), 2u);
    for (size_t layer = 0; layer < layers.size(); ++layer) {
      const TensorView expected =
          golden_->view(fmt::format("out.{}.{}", name, layer));  // [batch, heads, time_q, time_k]
      const int64_t heads = expected.shape[1], time_q = expected.shape[2];
      ASSERT_EQ(static_cast<int64_t>(layers[layer].size()), expected.shape[0] * heads);
      for (size_t i = 0; i < layers[layer].size(); ++i) {
        const Tensor& p = layers[layer][i];
        for (int64_t q = 0; q < p.dim(0); ++q)
          for (int64_t k = 0; k < p.dim(1); ++k)
            ASSERT_NEAR(p.data<float>()[q * p.dim(1) + k], expected.row<float>(static_cast<int64_t>(i) * time_q + q)[k],
                        2e-4)
                << name;
      }
    }
  };
  compare(trace.encoder_attentions, "encoder_attentions");
  compare(trace.decoder_attentions, "decoder_attentions");
  compare(trace.cross_attentions, "cross_attentions");
}

TEST_F(MarianGolden, LossAndGradients) {
  const auto grads = io::SafeTensors::open(folder_ / "grads.safetensors");
  const auto loss = model_->loss(batch_, {0, static_cast<double>(batch_.target.tokens()), {}});
  EXPECT_NEAR(loss.loss.item(), golden_->view("out.loss").as<float>()[0], 2e-4);
  backward(loss.loss);
  model_->parameters().complete_gradients();
  int compared = 0;
  for (const auto& [name, tensor] : model_->parameters().named()) {
    if (!grads.contains(name)) continue;
    testing::expect_same(tensor.grad().view(), grads.view(name), testing::kGradientBound, name);
    ++compared;
  }
  EXPECT_EQ(compared, static_cast<int>(grads.size()));
}

TEST_F(MarianGolden, TwelveAdamWSteps) {
  const Json train = read_json(folder_ / "golden.json")["train"];
  const auto batches = io::SafeTensors::open(folder_ / "train.safetensors");
  nn::ParameterStore& p = model_->parameters();
  Tensor m = Tensor::zeros(p.values().shape()), v = Tensor::zeros(p.values().shape());
  for (size_t k = 0; k < train["losses"].size(); ++k) {
    const auto batch = testing::read_batch(batches, fmt::format("batch{}.", k % 4));
    p.clear_gradients();
    const auto loss = model_->loss(batch, {0, static_cast<double>(batch.target.tokens()), {}});
    EXPECT_NEAR(loss.loss.item(), train["losses"][k].get<double>(), 1e-3) << "step " << k;
    backward(loss.loss);
    p.complete_gradients();
    const double norm = std::sqrt(backend().sum_of_squares(p.gradients().view()));
    EXPECT_NEAR(norm / train["grad_norms"][k].get<double>(), 1, 2e-3) << "step " << k;
    AdamParams adam;
    adam.beta1 = train["betas"][0].get<float>();
    adam.beta2 = train["betas"][1].get<float>();
    adam.epsilon = train["eps"].get<float>();
    adam.weight_decay = train["weight_decay"].get<float>();
    adam.learning_rate = train["lr"].get<float>();
    adam.gradient_scale = optim::clip_scale(norm, train["clip_norm"].get<double>());
    adam.step = static_cast<int64_t>(k) + 1;
    backend().adam(p.values().view(), p.gradients().view(), m.view(), v.view(), adam);
    p.values_changed();
  }
}

TEST_F(MarianGolden, ComesBackTensorForTensor) {
  testing::TemporaryFolder folder;
  io::write_model_folder(
      folder / "m", {model_->config(), model_->generation_config(), models::named_views(model_->parameters()), {}});
  const auto before = io::ModelFolder::open(folder_), after = io::ModelFolder::open(folder / "m");
  EXPECT_EQ(before.config(), after.config());
  EXPECT_EQ(before.generation_config(), after.generation_config());
  auto names = before.names();
  EXPECT_EQ(names.size(), after.names().size());
  for (const std::string& name : names) testing::expect_same(after.view(name), before.view(name), {0, 0}, name);
}

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
