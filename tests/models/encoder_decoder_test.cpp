// The paper's own model against plain PyTorch: goldens/paper (interleaved sinusoids, post-norm, ReLU, one embedding).
#include "heed/models/encoder_decoder.h"

#include <cmath>

#include "heed/base/json.h"
#include "heed/models/marian.h"
#include "heed/nn/positions.h"
#include "heed/tensor/backends.h"
#include "models/golden.h"
#include "shared_files.h"

namespace heed {
namespace {

using models::EncoderDecoder;
using models::EncoderDecoderConfig;

EncoderDecoderConfig tiny_config() {
  EncoderDecoderConfig c;
  c.d_model = 64;
  c.encoder_layers = c.decoder_layers = 2;
  c.encoder_heads = c.decoder_heads = 4;
  c.encoder_ffn = c.decoder_ffn = 128;
  c.vocab_size = c.decoder_vocab_size = 1200;
  c.max_positions = 128;
  c.dropout = 0;
  return c;
}

EncoderDecoderConfig paper_config() {
  EncoderDecoderConfig c = tiny_config();
  c.positions = models::Positions::kSinusoidsInterleaved;
  c.pad_id = -1;  // the plain model's embedding has no padding row
  return c;
}

// PyTorch's name for one of ours, without the projection's part; `row` is its place among the joint rows of 3 * 64.
struct PyTorchName {
  std::string name;
  int row;
};
PyTorchName pytorch_name(std::string name) {
  const auto replace = [&](const std::string& from, const std::string& to) {
    if (const size_t at = name.find(from); at != std::string::npos) name.replace(at, from.size(), to);
  };
  if (name == "model.shared.weight") return {"emb.weight", 0};
  const bool decoder = name.find("decoder") != std::string::npos;
  replace("model.encoder.layers", "enc");
  replace("model.decoder.layers", "dec");
  replace("self_attn_layer_norm", "norm1");
  replace("encoder_attn_layer_norm", "norm2");
  replace("final_layer_norm", decoder ? "norm3" : "norm2");
  replace("encoder_attn", "multihead_attn");
  replace("fc1", "linear1");
  replace("fc2", "linear2");
  const char* projections[] = {"q_proj.", "k_proj.", "v_proj."};
  for (int i = 0; i < 3; ++i)
    if (const size_t at = name.find(projections[i]); at != std::string::npos) {
      name.replace(at, 7, "in_proj_");
      return {name, i};
    }
  return {name, 0};
}

TensorView pytorch_view(const io::SafeTensors& file, const std::string& ours, const Shape& shape) {
  const PyTorchName theirs = pytorch_name(ours);
  TensorView whole = file.view(theirs.name);
  whole.data = whole.as<float>() + theirs.row * shape.numel();
  whole.shape = shape;
  whole.row_stride = shape.cols();
  return whole;
}

void load_paper_weights(EncoderDecoder& model, const io::SafeTensors& weights) {
  for (const auto& [name, tensor] : model.parameters().named())
    if (name != "final_logits_bias") backend().copy(pytorch_view(weights, name, tensor.shape()), tensor.view());
}

TEST(Positions, FollowSection35) {
  const Tensor table = nn::sinusoids_interleaved(3, 8);
  const float expected[] = {0.9093f, -0.4161f, 0.1987f, 0.9801f, 0.0200f, 0.9998f, 0.0020f, 0.999998f};
  for (int i = 0; i < 8; ++i) EXPECT_NEAR(table.data<float>()[2 * 8 + i], expected[i], 5e-5);
  const Tensor halves = nn::sinusoids_in_halves(3, 8);
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(halves.data<float>()[2 * 8 + (i % 2) * 4 + i / 2], table.data<float>()[2 * 8 + i]);
}

TEST(PaperGolden, OutputsAndGradients) {
  HEED_NEEDS_SHARED("goldens/paper");
  const auto open = [](const char* name) {
    return io::SafeTensors::open(testing::shared_path("goldens/paper") / name);
  };
  const auto golden = open("golden.safetensors"), grads = open("grads.safetensors");
  models::MarianModel model(paper_config(), 1);
  load_paper_weights(model, open("model.safetensors"));
  const auto batch = testing::read_batch(golden, "in.");
  {
    const NoGrad no_grad;
    const auto rows = ops::token_rows(batch.source);
    testing::expect_rows(model.encode(batch.source, rows, {}), batch.source, golden.view("out.encoder"),
                         testing::kOutputBound, "encoder, inference");
    testing::expect_rows(model.logits(batch, {}), batch.target, golden.view("out.logits"), testing::kOutputBound,
                         "logits, inference");
  }
  testing::expect_rows(model.logits(batch, {}), batch.target, golden.view("out.logits"), testing::kOutputBound,
                       "logits");
  const Json json = read_json(testing::shared_path("goldens/paper/golden.json"));
  const auto smoothing = json["label_smoothing"].get<float>();
  const auto loss = model.loss(batch, {smoothing, static_cast<double>(batch.target.tokens()), {}});
  EXPECT_NEAR(loss.loss.item(), golden.view("out.loss").as<float>()[0], 2e-4);
  backward(loss.loss);
  model.parameters().complete_gradients();
  for (const auto& [name, tensor] : model.parameters().named())
    if (name != "final_logits_bias")
      testing::expect_same(tensor.grad().view(), pytorch_view(grads, name, tensor.shape()), testing::kGradientBound,
                           name);
}

TEST(PaperGolden, FortyAdamStepsUnderThePaperSchedule) {
  HEED_NEEDS_SHARED("goldens/paper");
  const auto folder = testing::shared_path("goldens/paper");
  const Json json = read_json(folder / "golden.json");
  const auto batches = io::SafeTensors::open(folder / "train.safetensors");
  models::MarianModel model(paper_config(), 1);
  load_paper_weights(model, io::SafeTensors::open(folder / "model.safetensors"));
  nn::ParameterStore& p = model.parameters();
  Tensor m = Tensor::zeros(p.values().shape()), v = Tensor::zeros(p.values().shape());
  for (size_t t = 1; t <= json["losses"].size(); ++t) {
    const auto batch = testing::read_batch(batches, fmt::format("batch{}.", (t - 1) % 8));
    p.clear_gradients();
    const auto loss =
        model.loss(batch, {json["label_smoothing"].get<float>(), static_cast<double>(batch.target.tokens()), {}});
    EXPECT_NEAR(loss.loss.item(), json["losses"][t - 1].get<double>(), 1e-3) << "step " << t;
    backward(loss.loss);
    p.complete_gradients();
    AdamParams adam;
    adam.beta1 = json["adam"][0].get<float>();
    adam.beta2 = json["adam"][1].get<float>();
    adam.epsilon = json["adam"][2].get<float>();
    adam.learning_rate = json["lrs"][t - 1].get<float>();
    adam.step = static_cast<int64_t>(t);
    const std::vector<AdamRun> all{{0, m.numel()}};
    backend().adam(p.values().view(), p.gradients().view(), m.view(), v.view(), all, adam);
    p.values_changed();
  }
}

// Every setting that shapes the network changes the result.
TEST(EncoderDecoder, EverySettingMatters) {
  models::Seq2SeqBatch batch;
  for (int i = 0; i < 3; ++i) {
    batch.source.append(std::vector<int32_t>{5, 6 + i, 7, 1});
    batch.target.append(std::vector<int32_t>{9, 8 + i, 1});
  }
  const auto loss_with = [&](auto change, nn::Pass pass = {}) {
    EncoderDecoderConfig c = tiny_config();
    change(c);
    const NoGrad no_grad;
    return models::MarianModel(c, 3).loss(batch, {0, 1, pass}).loss_sum;
  };
  const double plain = loss_with([](auto&) {});
  EXPECT_EQ(plain, loss_with([](auto&) {}));
  EXPECT_NE(plain, loss_with([](auto& c) { c.pre_norm = true; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.positions = models::Positions::kLearned; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.positions = models::Positions::kSinusoidsInterleaved; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.activation = Activation::kSilu; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.scale_embedding = false; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.share_embeddings = false; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.tie_output = false; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.encoder_heads = 2; }));
  EXPECT_NE(plain, loss_with([](auto& c) { c.decoder_start_id = 4; }));
  const nn::Pass training{true, 1, nullptr}, other_key{true, 2, nullptr};
  EXPECT_EQ(plain, loss_with([](auto&) {}, training));
  const double dropped = loss_with([](auto& c) { c.dropout = 0.2f; }, training);
  EXPECT_NE(plain, dropped);
  EXPECT_NE(dropped, loss_with([](auto& c) { c.dropout = 0.2f; }, other_key));
  EXPECT_NE(plain, loss_with([](auto& c) { c.attention_dropout = 0.2f; }, training));
  EXPECT_NE(plain, loss_with([](auto& c) { c.activation_dropout = 0.2f; }, training));
}

// One token at a time, with rows reordered, multiplied and dropped, against the whole sequence at once.
TEST(EncoderDecoder, StepsEqualTeacherForcing) {
  for (const bool pre_norm : {false, true}) {
    EncoderDecoderConfig c = tiny_config();
    c.pre_norm = pre_norm;
    models::MarianModel model(c, 3);
    models::Seq2SeqBatch batch;
    batch.source.append(std::vector<int32_t>{5, 6, 7, 1});
    batch.source.append(std::vector<int32_t>{11, 12, 13, 14, 15, 1});
    batch.target.append(std::vector<int32_t>{21, 22, 23, 24, 25});
    batch.target.append(std::vector<int32_t>{31, 32, 33, 34, 35});
    const NoGrad no_grad;
    const Tensor whole = model.logits(batch, {});
    auto state = model.start(batch.source);
    std::vector<int32_t> of = {0, 1};  // which target each row follows
    std::vector<int32_t> tokens = model.first_tokens(batch.source);
    for (int t = 0; t < 5; ++t) {
      const Tensor logits = state->step(tokens);
      for (size_t r = 0; r < of.size(); ++r)
        for (int64_t v = 0; v < logits.dim(1); ++v)
          ASSERT_NEAR(logits.data<float>()[static_cast<int64_t>(r) * logits.dim(1) + v],
                      whole.data<float>()[(of[r] * 5 + t) * logits.dim(1) + v], 1e-4);
      const std::vector<int32_t> parents = t == 0   ? std::vector<int32_t>{1, 0, 0, 1}
                                           : t == 2 ? std::vector<int32_t>{3, 1}
                                                    : std::vector<int32_t>{};
      if (!parents.empty()) {
        state->select(parents);
        std::vector<int32_t> next;
        for (const int32_t parent : parents) next.push_back(of[static_cast<size_t>(parent)]);
        of = next;
      }
      tokens.clear();
      for (const int32_t target : of) tokens.push_back(batch.target.row(target)[static_cast<size_t>(t)]);
    }
    state->truncate(2);
    EXPECT_EQ(state->length(), 2);
    tokens.clear();
    for (const int32_t target : of) tokens.push_back(batch.target.row(target)[1]);
    const Tensor again = state->step(tokens);
    EXPECT_NEAR(again.data<float>()[0], whole.data<float>()[(of[0] * 5 + 2) * again.dim(1)], 1e-4);
  }
}

TEST(EncoderDecoder, RefusesWhatDoesNotFit) {
  EncoderDecoderConfig c = tiny_config();
  c.encoder_heads = 5;
  EXPECT_THROW(models::MarianModel(c, 1), ConfigError);
  c = tiny_config();
  c.decoder_vocab_size = 7;
  EXPECT_THROW(models::MarianModel(c, 1), ConfigError);
  c = tiny_config();
  c.max_positions = 2;
  models::MarianModel model(c, 1);
  models::Seq2SeqBatch batch;
  batch.source.append(std::vector<int32_t>{5, 6, 7});
  batch.target.append(std::vector<int32_t>{5});
  EXPECT_THROW(model.logits(batch, {}), ShapeError);
}

}  // namespace
}  // namespace heed
