// ViT folders: goldens/vit and those of tests/golden/models forward, backward and trained, and the folder written back.
#include "heed/models/vit.h"

#include <regex>

#include "heed/io/model_folder.h"
#include "heed/models/registry.h"
#include "heed/models/weights.h"
#include "heed/optim/clipping.h"
#include "heed/tensor/backends.h"
#include "models/golden.h"
#include "shared_files.h"

namespace heed {
namespace {

using models::ImageModel;

// goldens/vit names gradients as transformers 5 does in memory.
std::string name_in_memory(const std::string& name) {
  static const std::pair<std::regex, std::string> kRules[] = {
      {std::regex("encoder\\.layer\\."), "layers."},
      {std::regex("attention\\.attention\\.(query|key|value)\\."), "attention.$1_proj."},
      {std::regex("attention\\.(q|k|v)[a-z]*_proj"), "attention.$1_proj"},
      {std::regex("attention\\.output\\.dense"), "attention.o_proj"},
      {std::regex("intermediate\\.dense"), "mlp.fc1"},
      {std::regex("(layers\\.\\d+)\\.output\\.dense"), "$1.mlp.fc2"}};
  std::string result = name;
  for (const auto& [from, to] : kRules) result = std::regex_replace(result, from, to);
  return result;
}

Tensor copy_of(const TensorView& view) {
  const Tensor result = Tensor::empty(view.shape, view.dtype);
  backend().copy(view, result.view());
  return result;
}

models::Targets targets_of(const io::SafeTensors& file, const std::string& name) {
  models::Targets targets;
  const TensorView labels = file.view(name);
  if (labels.dtype == DType::kF32) targets.values = copy_of(labels);
  else
    for (int64_t i = 0; i < labels.shape.numel(); ++i)
      targets.classes.push_back(static_cast<int32_t>(labels.as<int64_t>()[i]));
  return targets;
}

// What transformers' loss is the mean over.
double divisor_of(const models::Targets& targets) {
  return static_cast<double>(targets.values.defined() ? targets.values.numel() : std::ssize(targets.classes));
}

class VitGolden : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string name = GetParam();
    if (name.starts_with("goldens/")) {
      HEED_NEEDS_SHARED(name);
      folder_ = testing::shared_path(name);
    } else {
      folder_ = testing::source_path("tests/golden/models/" + name);
    }
    model_ = models::load_as<ImageModel>(io::ModelFolder::open(folder_));
    golden_ = std::make_unique<io::SafeTensors>(io::SafeTensors::open(folder_ / "golden.safetensors"));
    pixels_ = copy_of(golden_->view("in.pixel_values"));
  }

  std::filesystem::path folder_;
  std::unique_ptr<ImageModel> model_;
  std::unique_ptr<io::SafeTensors> golden_;
  Tensor pixels_;
};

INSTANTIATE_TEST_SUITE_P(, VitGolden,
                         ::testing::Values("goldens/vit", "vit_no_qkv_bias", "vit_oblong_grey", "vit_regression"),
                         [](const auto& test) { return std::to_string(test.index); });

TEST_P(VitGolden, HiddenStatesAttentionsAndLogits) {
  for (const bool gradients : {false, true}) {
    const auto off = gradients ? nullptr : std::make_unique<NoGrad>();
    nn::Trace trace;
    nn::Pass pass;
    pass.trace = &trace;
    testing::expect_same(model_->logits(pixels_, pass).view(), golden_->view("out.logits"), testing::kOutputBound,
                         "logits");
    for (size_t i = 0; i < trace.encoder_states.size(); ++i) {
      const std::string name = fmt::format("out.hidden_states.{}", i);
      const TensorView expected = golden_->view(name);
      testing::expect_same(trace.encoder_states[i].reshape(expected.shape).view(), expected, testing::kOutputBound,
                           name);
    }
    ASSERT_FALSE(golden_->contains(fmt::format("out.hidden_states.{}", trace.encoder_states.size())));
    for (size_t i = 0; i < trace.encoder_attentions.size(); ++i) {
      const std::string name = fmt::format("out.attentions.{}", i);
      const TensorView expected = golden_->view(name);  // [images, heads, time, time]
      const Tensor all = ops::concatenate_rows(trace.encoder_attentions[i]);
      testing::expect_same(all.reshape(expected.shape).view(), expected, testing::kOutputBound, name);
    }
    ASSERT_FALSE(golden_->contains(fmt::format("out.attentions.{}", trace.encoder_attentions.size())));
  }
}

TEST_P(VitGolden, LossAndGradients) {
  const auto grads = io::SafeTensors::open(folder_ / "grads.safetensors");
  const auto targets = targets_of(*golden_, "in.labels");
  const auto loss = model_->loss(pixels_, targets, {0, divisor_of(targets), {}});
  EXPECT_NEAR(loss.loss.item(), golden_->view("out.loss").as<float>()[0], 2e-4);
  EXPECT_EQ(static_cast<double>(loss.targets), divisor_of(targets));
  backward(loss.loss);
  model_->parameters().complete_gradients();
  for (const auto& [name, tensor] : model_->parameters().named()) {
    const std::string stored = grads.contains(name) ? name : name_in_memory(name);
    ASSERT_TRUE(grads.contains(stored)) << name << " as " << stored;
    testing::expect_same(tensor.grad().view(), grads.view(stored), testing::kGradientBound, name);
  }
  EXPECT_EQ(model_->parameters().named().size(), grads.size());
}

TEST_P(VitGolden, AdamWSteps) {
  if (!std::filesystem::exists(folder_ / "train.safetensors")) GTEST_SKIP() << "no recorded batches";
  const Json train = read_json(folder_ / "golden.json")["train"];
  const auto batches = io::SafeTensors::open(folder_ / "train.safetensors");
  testing::replay_adamw(model_->parameters(), train, 1e-3, [&](size_t k) {
    const auto targets = targets_of(batches, fmt::format("batch{}.labels", k % 4));
    return model_
        ->loss(copy_of(batches.view(fmt::format("batch{}.pixel_values", k % 4))), targets, {0, divisor_of(targets), {}})
        .loss;
  });
}

TEST_P(VitGolden, ComesBackTensorForTensor) {
  const testing::TemporaryFolder folder;
  io::write_model_folder(
      folder / "m", {model_->config(), model_->generation_config(), models::named_views(model_->parameters()), {}});
  const auto before = io::ModelFolder::open(folder_), after = io::ModelFolder::open(folder / "m");
  EXPECT_EQ(before.config(), after.config());
  EXPECT_EQ(before.names().size(), after.names().size());
  for (const std::string& name : before.names())
    testing::expect_same(after.load(name).view(), before.load(name).view(), {0, 0}, name);
}

// An image alone has the same logits, bit for bit, as among others.
TEST_P(VitGolden, ImagesDoNotSeeEachOther) {
  const NoGrad off;
  const std::vector<float> all = model_->logits(pixels_, {}).to_vector<float>();
  const auto labels = static_cast<std::ptrdiff_t>(model_->labels().size());
  for (int64_t i = 0; i < pixels_.dim(0); ++i)
    EXPECT_EQ(model_->logits(pixels_.slice_rows(i, 1), {}).to_vector<float>(),
              std::vector<float>(all.begin() + i * labels, all.begin() + (i + 1) * labels));
}

Json small_config() {
  return {{"model_type", "vit"},        {"hidden_size", 8},
          {"num_hidden_layers", 2},     {"num_attention_heads", 2},
          {"intermediate_size", 12},    {"image_size", {9, 14}},
          {"patch_size", {4, 3}},       {"num_channels", 2},
          {"hidden_dropout_prob", 0.2}, {"attention_probs_dropout_prob", 0.3}};
}

std::unique_ptr<ImageModel> make(const Json& config) {
  std::unique_ptr<models::Model> model = models::make_model(config, "config.json", 3);
  auto* image = dynamic_cast<ImageModel*>(model.get());
  EXPECT_NE(image, nullptr);
  static_cast<void>(model.release());
  return std::unique_ptr<ImageModel>(image);
}

Tensor some_pixels(int64_t images) {
  const Tensor pixels = Tensor::empty({images, 2, 9, 14});
  Random random(5);
  for (int64_t i = 0; i < pixels.numel(); ++i) pixels.data<float>()[i] = static_cast<float>(random.normal());
  return pixels;
}

// Sides that patches do not fill: what is left over is not seen, as a convolution has it.
TEST(Vit, OblongImagesAndPatches) {
  const auto model = make(small_config());
  Tensor pixels = some_pixels(2);
  const NoGrad off;
  EXPECT_EQ(model->hidden(pixels, {}).shape(), (Shape{2 * (1 + 2 * 4), 8}));
  const std::vector<float> before = model->logits(pixels, {}).to_vector<float>();
  pixels.data<float>()[13] += 100;          // the last column
  pixels.data<float>()[8 * 14 + 1] += 100;  // the last row
  EXPECT_EQ(model->logits(pixels, {}).to_vector<float>(), before);
  pixels.data<float>()[7 * 14 + 11] += 100;
  EXPECT_NE(model->logits(pixels, {}).to_vector<float>(), before);
}

TEST(Vit, DropoutActsInTrainingAndFollowsTheExample) {
  const auto model = make(small_config());
  const NoGrad off;
  nn::Pass pass;
  const auto plain = model->logits(some_pixels(2), pass).to_vector<float>();
  pass.training = true;
  pass.dropout_key = 9;
  const auto dropped = model->logits({some_pixels(2), {4, 7}}, pass).to_vector<float>();
  EXPECT_NE(plain, dropped);
  EXPECT_EQ(model->logits({some_pixels(2).slice_rows(1, 1), {7}}, pass).to_vector<float>(),
            std::vector<float>(dropped.begin() + 2, dropped.end()));
}

TEST(Vit, BaseModelHasAPoolerAndNoHead) {
  Json config = small_config();
  config["architectures"] = {"ViTModel"};
  config["pooler_output_size"] = 5;
  const auto model = make(config);
  EXPECT_TRUE(model->labels().empty());
  EXPECT_THROW(model->logits(some_pixels(1), {}), UsageError);
  const Tensor hidden = model->hidden(some_pixels(3), {});
  const Tensor pooled = model->pooled(hidden);
  ASSERT_EQ(pooled.shape(), (Shape{3, 5}));
  for (const float x : pooled.to_vector<float>()) EXPECT_LT(std::abs(x), 1);
  std::vector<std::string> names;
  for (const auto& named : model->parameters().named()) names.push_back(named.name);
  EXPECT_EQ(names.front(), "embeddings.cls_token");
  EXPECT_EQ(names.back(), "pooler.dense.bias");
}

TEST(Vit, BaseModelAsTransformers) {
  for (const char* name : {"vit_base_pooler", "vit_no_pooler"}) {
    const auto folder = testing::source_path("tests/golden/models") / name;
    const auto model = models::load_as<ImageModel>(io::ModelFolder::open(folder));
    const auto golden = io::SafeTensors::open(folder / "golden.safetensors");
    const NoGrad off;
    const Tensor hidden = model->hidden(copy_of(golden.view("in.pixel_values")), {});
    const TensorView expected = golden.view("out.last_hidden_state");
    testing::expect_same(hidden.reshape(expected.shape).view(), expected, testing::kOutputBound, "hidden");
    const Tensor pooled = model->pooled(hidden);
    ASSERT_EQ(pooled.defined(), golden.contains("out.pooler_output")) << name;
    if (pooled.defined())
      testing::expect_same(pooled.view(), golden.view("out.pooler_output"), testing::kOutputBound, "pooled");
  }
}

// A body without a pooler takes a classifier.
TEST(Vit, AHeadOnABodyWithoutAPooler) {
  models::NewModel wanted;
  wanted.head = models::Head::kSequenceClassification;
  wanted.labels = {"cat", "dog"};
  wanted.image = {3, 8, 8};
  const auto folder = io::ModelFolder::open(testing::source_path("tests/golden/models/vit_no_pooler"));
  EXPECT_EQ(models::load_with_head(folder, wanted, 3).fresh,
            (std::vector<std::string>{"classifier.weight", "classifier.bias"}));
}

TEST(Vit, RegressionIsTheMeanSquaredError) {
  Json config = small_config();
  config["id2label"] = {{"0", "age"}};
  const auto model = make(config);
  EXPECT_EQ(model->problem(), models::Problem::kRegression);
  const Tensor pixels = some_pixels(2);
  models::Targets targets;
  targets.values = Tensor::from(std::vector<float>{1, -2}, {2});
  const auto logits = model->logits(pixels, {}).to_vector<float>();
  const auto loss = model->loss(pixels, targets, {0, 2, {}});
  EXPECT_NEAR(loss.loss.item(), ((logits[0] - 1) * (logits[0] - 1) + (logits[1] + 2) * (logits[1] + 2)) / 2, 1e-5);
  targets = {};
  targets.classes = {0, 0};
  EXPECT_THROW(model->loss(pixels, targets, {}), UsageError);
}

TEST(Vit, ImagesOfAnotherSizeAreRefused) {
  const auto model = make(small_config());
  for (const Shape& shape : {Shape{1, 2, 9, 15}, Shape{1, 3, 9, 14}, Shape{2, 9, 14}})
    EXPECT_THROW(model->hidden(Tensor::zeros(shape), {}), ShapeError);
}

TEST(Vit, EveryBadValueIsNamedOrWorks) {
  const std::vector<Json> kinds = {-1,   0,   1LL << 31,        uint64_t{1} << 63,     1e308,         nullptr, "x",
                                   true, 1.5, Json::array({1}), Json::array({"a", 2}), Json::object()};
  Json config = small_config();
  config["architectures"] = {"ViTForImageClassification"};
  config["id2label"] = {{"0", "a"}, {"1", "b"}};
  for (const char* key : {"model_type",
                          "hidden_size",
                          "num_hidden_layers",
                          "num_attention_heads",
                          "head_dim",
                          "intermediate_size",
                          "hidden_act",
                          "hidden_dropout_prob",
                          "attention_probs_dropout_prob",
                          "initializer_range",
                          "layer_norm_eps",
                          "image_size",
                          "patch_size",
                          "num_channels",
                          "qkv_bias",
                          "pruned_heads",
                          "architectures",
                          "id2label",
                          "num_labels",
                          "problem_type"})
    for (const Json& value : kinds) {
      Json changed = config;
      changed[key] = value;
      try {
        const auto model = models::make_model(changed, "the.json", 1);
        EXPECT_NE(model, nullptr);
      } catch (const ConfigError& error) {
        EXPECT_NE(std::string(error.what()).find(key), std::string::npos)
            << key << " " << value << ": " << error.what();
        EXPECT_NE(std::string(error.what()).find("the.json"), std::string::npos) << error.what();
      }
    }
  const auto reason = [&](const std::string& key, const Json& value) -> std::string {
    Json changed = config;
    changed[key] = value;
    try {
      models::make_model(changed, "the.json", 1);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(reason("architectures", {"ViTForMaskedImageModeling"}).find("ViTForMaskedImageModeling"),
            std::string::npos);
  EXPECT_NE(reason("hidden_size", 9).find("num_attention_heads"), std::string::npos);
  EXPECT_NE(reason("patch_size", 15).find("patch_size"), std::string::npos);
  EXPECT_NE(reason("num_labels", 3).find("id2label"), std::string::npos);
  EXPECT_NE(reason("id2label", {{"0", "a"}, {"2", "b"}}).find("id2label"), std::string::npos);
  EXPECT_NE(reason("pruned_heads", {{"0", {1}}}).find("pruned_heads"), std::string::npos);
  EXPECT_EQ(reason("a_key_of_the_future", 3), "");
}

}  // namespace
}  // namespace heed
