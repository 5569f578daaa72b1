#include "heed/tasks/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "heed/base/error.h"
#include "heed/base/json.h"
#include "heed/data/token_text.h"
#include "heed/io/model_folder.h"
#include "heed/models/gpt2.h"
#include "heed/models/registry.h"
#include "shared_files.h"

namespace heed {
namespace {

models::Gpt2Model random_model() {
  const models::Gpt2Config c{.d_model = 16,
                             .num_layers = 2,
                             .num_heads = 2,
                             .ffn = 32,
                             .vocab_size = 60,
                             .max_positions = 12,
                             .initializer_range = 0.5};
  return {c, {}, 3};
}

std::vector<int32_t> random_ids(int count) {
  std::vector<int32_t> ids;
  for (int i = 0; i < count; ++i) ids.push_back((i * i * 7 + i * 3) % 60);
  return ids;
}

// Hugging Face's loop, one window after the other.
double nll_by_definition(const models::CausalModel& model, const std::vector<int32_t>& ids, size_t window,
                         size_t stride) {
  const NoGrad no_grad;
  double nll = 0;
  size_t seen = 0;
  for (size_t begin = 0; begin < ids.size(); begin += stride) {
    const size_t end = std::min(begin + window, ids.size());
    models::TextBatch batch;
    batch.ids.append(std::span(ids).subspan(begin, end - begin));
    const Tensor log_probs = ops::log_softmax(model.logits(batch, {}));
    for (size_t t = std::max(seen, begin + 1); t < end; ++t)
      nll -= log_probs.data<float>()[static_cast<int64_t>(t - 1 - begin) * 60 + ids[t]];
    seen = end;
    if (end == ids.size()) break;
  }
  return nll;
}

TEST(Perplexity, EqualsTheLoopOverWindows) {
  const auto model = random_model();
  for (const int length : {2, 11, 12, 13, 30, 41})
    for (const int stride : {1, 5, 6, 12}) {
      const auto ids = random_ids(length);
      const auto result = tasks::perplexity(model, std::vector<std::vector<int32_t>>{ids},
                                            {.window = 12, .stride = stride, .batch_tokens = 30});
      EXPECT_NEAR(result.nll, nll_by_definition(model, ids, 12, static_cast<size_t>(stride)), 1e-3)
          << length << " tokens, stride " << stride;
      // A window that begins where the last one ended does not predict its first token.
      if (stride < 12) {
        EXPECT_EQ(result.tokens, length - 1);
      }
    }
}

TEST(Perplexity, OfSeveralTexts) {
  const auto model = random_model();
  const auto a = random_ids(9), b = random_ids(30);
  const auto result = tasks::perplexity(model, std::vector<std::vector<int32_t>>{a, b, {}, {7}}, {});
  EXPECT_NEAR(result.nll, nll_by_definition(model, a, 12, 6) + nll_by_definition(model, b, 12, 6), 1e-3);
  EXPECT_EQ(result.tokens, 8 + 29);
  EXPECT_NEAR(result.perplexity(), std::exp(result.nll / 37), 1e-3);
  EXPECT_NEAR(result.bits_per_byte(100), result.nll / std::log(2.0) / 100, 1e-9);
}

TEST(StreamPerplexity, EqualsTransformersInWindowsOfAnyStride) {
  const auto folder = testing::source_path("tests/golden/tasks/language_model");
  const Json golden = read_json(folder / "losses.json");
  const auto model = models::load_as<models::CausalModel>(io::ModelFolder::open(folder));
  const auto tokenizer = text::load_tokenizer(folder);
  const data::TokenStream stream = data::encode_text(data::TextSource({folder / "text.txt"}), *tokenizer, {});
  std::vector<int32_t> ids;
  stream.append_to(ids, 0, stream.size());
  EXPECT_EQ(Json(ids), golden["ids"]);
  EXPECT_EQ(stream.counts().bytes, golden["bytes"].get<uint64_t>());
  for (const Json& c : golden["cases"]) {
    const tasks::PerplexityOptions options{c["window"], c["stride"], 50};
    const auto found = tasks::stream_perplexity(*model, stream, options).value();
    EXPECT_EQ(found.tokens, c["tokens"].get<int64_t>());
    EXPECT_NEAR(found.nll, c["nll"].get<double>(), 2e-3) << c.dump();
  }
  const auto usual = tasks::stream_perplexity(*model, stream, {}).value();  // 16 positions, no overlap
  EXPECT_NEAR(usual.nll, golden["cases"][0]["nll"].get<double>(), 2e-3);
  EXPECT_FALSE(tasks::stream_perplexity(*model, stream, {.window = 4, .batch_tokens = 4}, [] { return true; }));
  EXPECT_THROW(tasks::stream_perplexity(*model, stream, {.window = 17}), UsageError);
  EXPECT_THROW(tasks::stream_perplexity(*model, stream, {.window = 8, .stride = 9}), UsageError);
  EXPECT_THROW(tasks::stream_perplexity(*model, data::TokenStream(), {}), DataError);
}

TEST(Perplexity, RefusesWhatDoesNotFit) {
  const auto model = random_model();
  const std::vector<std::vector<int32_t>> ids = {random_ids(20)};
  EXPECT_THROW(tasks::perplexity(model, ids, {.window = 13}), UsageError);
  EXPECT_THROW(tasks::perplexity(model, ids, {.window = 1}), UsageError);
  EXPECT_THROW(tasks::perplexity(model, ids, {.window = 8, .stride = 9}), UsageError);
  EXPECT_THROW(tasks::perplexity(model, std::vector<std::vector<int32_t>>{{5}}, {}), DataError);
}

}  // namespace
}  // namespace heed
