// Encoders and all their heads against what transformers gave: the shared goldens, and small ones of our own for the
// heads and configurations that those do not cover. Hidden states, attentions, logits, loss, gradients, training steps,
// the folder written back.
#include "heed/base/files.h"
#include "heed/io/model_folder.h"
#include "heed/models/registry.h"
#include "heed/optim/clipping.h"
#include "heed/tensor/backends.h"
#include "models/golden.h"
#include "shared_files.h"

namespace heed {
namespace {

using models::EncoderModel;
using models::Head;
using models::Problem;
using testing::kGradientBound;
using testing::kOutputBound;

constexpr const char* kShared[] = {"bert_classify", "bert_mlm", "bert_qa", "bert_tag", "distilbert", "roberta_mlm"};
constexpr const char* kOwn[] = {
    "bert_base_pooler", "bert_legacy_names",         "bert_mlm_untied",    "bert_no_pooler",
    "bert_regression",  "bert_several_labels",       "distilbert_answer",  "distilbert_base",
    "distilbert_mlm",   "distilbert_several_labels", "distilbert_tag",     "roberta_answer",
    "roberta_base",     "roberta_classify",          "roberta_regression", "roberta_tag"};

std::vector<std::filesystem::path> folders() {
  std::vector<std::filesystem::path> result;
  for (const char* name : kShared) result.push_back(testing::shared_path("goldens") / name);
  for (const char* name : kOwn) result.push_back(testing::source_path("tests/golden/models") / name);
  return result;
}

std::vector<int32_t> read_ids(const io::SafeTensors& file, const std::string& name) {
  const TensorView x = file.view(name);
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < x.shape.numel(); ++i) ids.push_back(static_cast<int32_t>(x.as<int64_t>()[i]));
  return ids;
}

struct Batch {
  models::TextBatch texts;
  models::Targets targets;
  double divisor = 1;
};

// The tokens of rows [batch, time] that the batch has.
std::vector<int32_t> packed(const io::SafeTensors& file, const std::string& name, const Ragged& rows) {
  const TensorView x = file.view(name);
  std::vector<int32_t> result;
  for (int i = 0; i < rows.rows(); ++i)
    for (int t = 0; t < rows.length(i); ++t) result.push_back(static_cast<int32_t>(x.row<int64_t>(i)[t]));
  return result;
}

void read_targets(const io::SafeTensors& file, const std::string& prefix, const EncoderModel& model, Batch& b) {
  if (model.head() == Head::kQuestionAnswering) {
    b.targets.begins = read_ids(file, prefix + "start_positions");
    b.targets.ends = read_ids(file, prefix + "end_positions");
    b.divisor = b.texts.ids.rows();
    return;
  }
  if (!file.contains(prefix + "labels")) return;
  if (model.head() != Head::kSequenceClassification) {
    b.targets.classes = packed(file, prefix + "labels", b.texts.ids);
    b.divisor = static_cast<double>(std::ranges::count_if(b.targets.classes, [](int32_t c) { return c >= 0; }));
  } else if (model.problem() == Problem::kSingleLabel) {
    b.targets.classes = read_ids(file, prefix + "labels");
    b.divisor = b.texts.ids.rows();
  } else {
    const TensorView values = file.view(prefix + "labels");
    b.targets.values = Tensor::empty({b.texts.ids.rows(), static_cast<int64_t>(model.labels().size())});
    std::copy_n(values.as<float>(), values.shape.numel(), b.targets.values.data<float>());
    b.divisor = static_cast<double>(b.targets.values.numel());
  }
}

// Padding is dropped, but for question answering, whose loss it takes part in.
Batch read_batch(const io::SafeTensors& file, const std::string& prefix, const EncoderModel& model) {
  Batch b;
  const std::string mask = prefix + "attention_mask";
  Ragged real = testing::unpad(file, prefix + "input_ids", file.contains(mask) ? mask : prefix + "input_ids");
  if (model.head() == Head::kQuestionAnswering) {
    for (int i = 0; i < real.rows(); ++i) b.texts.visible.push_back(real.length(i));
    real = testing::unpad(file, prefix + "input_ids", prefix + "input_ids");
  }
  b.texts.ids = std::move(real);
  if (file.contains(prefix + "token_type_ids")) b.texts.types = packed(file, prefix + "token_type_ids", b.texts.ids);
  read_targets(file, prefix, model, b);
  return b;
}

class EncoderGolden : public ::testing::TestWithParam<std::filesystem::path> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(GetParam())) GTEST_SKIP() << "skipped: no " << GetParam();
    model_ = models::load_as<EncoderModel>(io::ModelFolder::open(GetParam()));
    golden_ = std::make_unique<io::SafeTensors>(io::SafeTensors::open(GetParam() / "golden.safetensors"));
    batch_ = read_batch(*golden_, "in.", *model_);
  }
  void expect_outputs(const nn::Pass& pass) const;

  std::unique_ptr<EncoderModel> model_;
  std::unique_ptr<io::SafeTensors> golden_;
  Batch batch_;
};

void EncoderGolden::expect_outputs(const nn::Pass& pass) const {
  const Ragged& rows = batch_.texts.ids;
  if (model_->head() == Head::kNone) {
    const Tensor hidden = model_->hidden(batch_.texts, pass);
    testing::expect_rows(hidden, rows, golden_->view("out.last_hidden_state"), kOutputBound, "hidden");
    const Tensor pooled = model_->pooled(hidden, batch_.texts);
    ASSERT_EQ(pooled.defined(), golden_->contains("out.pooler_output"));
    if (pooled.defined())
      testing::expect_same(pooled.view(), golden_->view("out.pooler_output"), kOutputBound, "pooled");
    return;
  }
  const Tensor logits = model_->logits(batch_.texts, pass);
  if (model_->head() == Head::kQuestionAnswering) {
    for (const int side : {0, 1}) {
      const TensorView expected = golden_->view(side == 0 ? "out.start_logits" : "out.end_logits");  // [batch, time]
      for (int i = 0; i < rows.rows(); ++i)
        for (int t = 0; t < rows.length(i); ++t)
          ASSERT_NEAR(logits.data<float>()[(rows.offsets[static_cast<size_t>(i)] + t) * 2 + side],
                      expected.row<float>(i)[t], 2e-4);
    }
  } else if (model_->head() == Head::kSequenceClassification) {
    testing::expect_same(logits.view(), golden_->view("out.logits"), kOutputBound, "logits");
  } else {
    testing::expect_rows(logits, rows, golden_->view("out.logits"), kOutputBound, "logits");
  }
}

TEST_P(EncoderGolden, HiddenStatesAndOutputs) {
  for (const bool gradients : {false, true}) {
    const auto off = gradients ? nullptr : std::make_unique<NoGrad>();
    nn::Trace trace;
    nn::Pass pass;
    pass.trace = &trace;
    expect_outputs(pass);
    EXPECT_GE(trace.encoder_states.size(), 2u);
    for (size_t i = 0; i < trace.encoder_states.size(); ++i) {
      const std::string name = fmt::format("out.hidden_states.{}", i);
      testing::expect_rows(trace.encoder_states[i], batch_.texts.ids, golden_->view(name), kOutputBound, name);
    }
  }
}

TEST_P(EncoderGolden, Attentions) {
  nn::Trace trace;
  nn::Pass pass;
  pass.trace = &trace;
  model_->hidden(batch_.texts, pass);
  ASSERT_GE(trace.encoder_attentions.size(), 1u);
  for (size_t layer = 0; layer < trace.encoder_attentions.size(); ++layer) {
    const TensorView expected = golden_->view(fmt::format("out.attentions.{}", layer));  // [batch, heads, time, time]
    const int64_t time = expected.shape[2];
    ASSERT_EQ(static_cast<int64_t>(trace.encoder_attentions[layer].size()), expected.shape[0] * expected.shape[1]);
    for (size_t i = 0; i < trace.encoder_attentions[layer].size(); ++i) {
      const Tensor& p = trace.encoder_attentions[layer][i];
      for (int64_t q = 0; q < p.dim(0); ++q)
        for (int64_t k = 0; k < p.dim(1); ++k)
          ASSERT_NEAR(p.data<float>()[q * p.dim(1) + k], expected.row<float>(static_cast<int64_t>(i) * time + q)[k],
                      2e-4);
    }
  }
}

TEST_P(EncoderGolden, LossAndGradients) {
  if (!golden_->contains("out.loss")) GTEST_SKIP() << "the golden has no loss";
  const auto loss = model_->loss(batch_.texts, batch_.targets, {0, batch_.divisor, {}});
  EXPECT_NEAR(loss.loss.item(), golden_->view("out.loss").as<float>()[0], 2e-4);
  EXPECT_EQ(static_cast<double>(loss.targets), batch_.divisor);
  EXPECT_NEAR(loss.loss_sum, loss.loss.item() * batch_.divisor, 1e-3 * std::abs(loss.loss_sum));
  if (!std::filesystem::exists(GetParam() / "grads.safetensors")) return;
  const auto grads = io::SafeTensors::open(GetParam() / "grads.safetensors");
  backward(loss.loss);
  model_->parameters().complete_gradients();
  int compared = 0;
  for (const auto& [name, tensor] : model_->parameters().named()) {
    if (!grads.contains(name)) continue;
    testing::expect_same(tensor.grad().view(), grads.view(name), kGradientBound, name);
    ++compared;
  }
  EXPECT_EQ(compared, static_cast<int>(grads.size()));
}

TEST_P(EncoderGolden, TwelveAdamWSteps) {
  // The batches of a shared golden, made by the rule of its README, lie with ours.
  const auto made =
      testing::source_path("tests/golden/models") / (GetParam().filename().string() + "_train.safetensors");
  const auto file = std::filesystem::exists(made) ? made : GetParam() / "train.safetensors";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "the golden has no training steps";
  const Json train = read_json(GetParam() / "golden.json")["train"];
  const auto batches = io::SafeTensors::open(file);
  testing::replay_adamw(model_->parameters(), train, 1e-3, [&](size_t k) {
    const Batch batch = read_batch(batches, fmt::format("batch{}.", k % 4), *model_);
    return model_->loss(batch.texts, batch.targets, {0, batch.divisor, {}}).loss;
  });
}

TEST_P(EncoderGolden, ComesBackTensorForTensor) {
  testing::TemporaryFolder folder;
  io::write_model_folder(
      folder / "m", {model_->config(), model_->generation_config(), models::named_views(model_->parameters()), {}});
  const auto before = io::ModelFolder::open(GetParam()), after = io::ModelFolder::open(folder / "m");
  EXPECT_EQ(before.config(), after.config());
  EXPECT_EQ(before.names().size(), after.names().size());
  for (const std::string& name : before.names())
    testing::expect_same(after.load(models::modern_norm_name(name)).view(), before.load(name).view(), {0, 0}, name);
}

// Bit for bit, whatever stands beside a row.
TEST_P(EncoderGolden, ARowDoesNotDependOnItsBatch) {
  const NoGrad no_grad;
  const models::TextBatch& all = batch_.texts;
  const auto whole = model_->hidden(all, {}).to_vector<float>();
  for (int i = 0; i < all.ids.rows(); ++i) {
    models::TextBatch one;
    one.ids.append(all.ids.row(i));
    const auto begin = static_cast<size_t>(all.ids.offsets[static_cast<size_t>(i)]);
    const auto length = static_cast<size_t>(all.ids.length(i));
    if (!all.types.empty())
      one.types.assign(all.types.begin() + static_cast<long>(begin),
                       all.types.begin() + static_cast<long>(begin + length));
    if (!all.visible.empty()) one.visible = {all.visible[static_cast<size_t>(i)]};
    const auto alone = model_->hidden(one, {}).to_vector<float>();
    const size_t width = alone.size() / length;
    ASSERT_TRUE(std::equal(alone.begin(), alone.end(), whole.begin() + static_cast<long>(begin * width))) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Folders, EncoderGolden, ::testing::ValuesIn(folders()),
                         [](const auto& folder) { return folder.param.filename().string(); });

}  // namespace
}  // namespace heed
