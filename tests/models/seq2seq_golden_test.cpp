// Sequence-to-sequence folders against what transformers and PyTorch gave for them: forward, backward, trained, and
// written back. The shared goldens and our own (tests/golden/models).
#include <gtest/gtest.h>

#include "heed/io/model_folder.h"
#include "heed/models/registry.h"
#include "heed/models/weights.h"
#include "heed/optim/clipping.h"
#include "heed/tensor/backends.h"
#include "models/golden.h"
#include "shared_files.h"

namespace heed {
namespace {

std::filesystem::path folder_of(const std::string& name) {
  return name.starts_with("goldens/") ? testing::shared_path(name)
                                      : testing::source_path("tests/golden/models/" + name);
}

class Seq2SeqGolden : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    folder_ = folder_of(GetParam());
    if (!std::filesystem::exists(folder_)) GTEST_SKIP() << "skipped: no " << folder_.string();
    model_ = models::load_seq2seq(io::ModelFolder::open(folder_));
    golden_ = std::make_unique<io::SafeTensors>(io::SafeTensors::open(folder_ / "golden.safetensors"));
    batch_ = testing::read_batch(*golden_, "in.");
  }

  void compare_states(const std::vector<Tensor>& states, const Ragged& rows, const std::string& name) {
    EXPECT_FALSE(golden_->contains(fmt::format("out.{}.{}", name, states.size())));
    for (size_t i = 0; i < states.size(); ++i) {
      const std::string key = fmt::format("out.{}.{}", name, i);
      testing::expect_rows(states[i], rows, golden_->view(key), testing::kOutputBound, key);
    }
  }

  void compare_attentions(const std::vector<std::vector<Tensor>>& layers, const std::string& name) {
    EXPECT_FALSE(golden_->contains(fmt::format("out.{}.{}", name, layers.size())));
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
                << name << " layer " << layer;
      }
    }
  }

  std::filesystem::path folder_;
  std::unique_ptr<models::Seq2SeqModel> model_;
  std::unique_ptr<io::SafeTensors> golden_;
  models::Seq2SeqBatch batch_;
};

TEST_P(Seq2SeqGolden, HiddenStatesAndLogits) {
  for (const bool gradients : {false, true}) {
    const auto off = gradients ? nullptr : std::make_unique<NoGrad>();
    nn::Trace trace;
    nn::Pass pass;
    pass.trace = &trace;
    testing::expect_rows(model_->logits(batch_, pass), batch_.target, golden_->view("out.logits"),
                         testing::kOutputBound, "logits");
    compare_states(trace.encoder_states, batch_.source, "encoder_hidden_states");
    compare_states(trace.decoder_states, batch_.target, "decoder_hidden_states");
  }
}

TEST_P(Seq2SeqGolden, Attentions) {
  nn::Trace trace;
  nn::Pass pass;
  pass.trace = &trace;
  model_->logits(batch_, pass);
  compare_attentions(trace.encoder_attentions, "encoder_attentions");
  compare_attentions(trace.decoder_attentions, "decoder_attentions");
  compare_attentions(trace.cross_attentions, "cross_attentions");
}

TEST_P(Seq2SeqGolden, LossAndGradients) {
  if (!std::filesystem::exists(folder_ / "grads.safetensors")) GTEST_SKIP() << "skipped: no gradients are recorded";
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

// One token at a time over the cache, rows of other lengths beside it, against the whole sequence at once.
TEST_P(Seq2SeqGolden, StepsEqualTeacherForcing) {
  const NoGrad no_grad;
  const TensorView expected = golden_->view("out.logits");
  const double bound = testing::kOutputBound.absolute + testing::kOutputBound.relative * testing::largest(expected);
  const auto state = model_->start(batch_.source);
  std::vector<int32_t> tokens = model_->first_tokens(batch_.source);
  int longest = 0;
  for (int r = 0; r < batch_.target.rows(); ++r) longest = std::max(longest, batch_.target.length(r));
  for (int t = 0; t < longest; ++t) {
    const Tensor logits = state->step(tokens);
    for (int r = 0; r < batch_.target.rows(); ++r) {
      if (t >= batch_.target.length(r)) continue;
      for (int64_t v = 0; v < logits.dim(1); ++v)
        ASSERT_NEAR(logits.data<float>()[r * logits.dim(1) + v], expected.row<float>(r * expected.shape[1] + t)[v],
                    bound)
            << "row " << r << ", token " << t;
      tokens[static_cast<size_t>(r)] = batch_.target.row(r)[static_cast<size_t>(t)];
    }
  }
}

TEST_P(Seq2SeqGolden, TwelveAdamWSteps) {
  if (!std::filesystem::exists(folder_ / "train.safetensors")) GTEST_SKIP() << "skipped: no batches are recorded";
  const Json train = read_json(folder_ / "golden.json")["train"];
  const auto batches = io::SafeTensors::open(folder_ / "train.safetensors");
  const double bound = std::string(GetParam()) == "goldens/t5_v1_1" ? 1e-2 : 1e-3;
  const auto loss_of = [&](size_t k) {
    const auto batch = testing::read_batch(batches, fmt::format("batch{}.", k % 4));
    return model_->loss(batch, {0, static_cast<double>(batch.target.tokens()), {}}).loss;
  };
  testing::replay_adamw(model_->parameters(), train, bound, loss_of, testing::norm_bound(folder_));
}

TEST_P(Seq2SeqGolden, ComesBackTensorForTensor) {
  testing::TemporaryFolder folder;
  io::write_model_folder(
      folder / "m", {model_->config(), model_->generation_config(), models::named_views(model_->parameters()), {}});
  const auto before = io::ModelFolder::open(folder_), after = io::ModelFolder::open(folder / "m");
  EXPECT_EQ(before.config(), after.config());
  EXPECT_EQ(before.generation_config(), after.generation_config());
  const auto names = before.names();
  EXPECT_EQ(names.size(), after.names().size());
  for (const std::string& name : names)
    testing::expect_same(after.load(name).view(), before.load(name).view(), {0, 0}, name);
}

INSTANTIATE_TEST_SUITE_P(Folders, Seq2SeqGolden,
                         ::testing::Values("goldens/marian", "goldens/bart", "goldens/t5", "goldens/t5_v1_1",
                                           "marian_separate", "bart_forced_bos", "bart_uneven_sharded",
                                           "t5_few_buckets", "t5_gated_silu", "t5_untied_gated"),
                         [](const auto& folder) {
                           std::string name = folder.param;
                           std::replace(name.begin(), name.end(), '/', '_');
                           return name;
                         });

}  // namespace
}  // namespace heed
