#include "heed/tasks/perplexity.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace heed::tasks {
namespace {

// Windows that are computed together, and what is to be predicted in them.
struct Batch {
  models::TextBatch text;
  std::vector<int32_t> targets;
};

void score(const models::CausalModel& model, Batch& batch, Perplexity& result) {
  if (batch.targets.empty()) return;
  const auto loss = model.loss(batch.text, batch.targets, {0, 1, {}});
  result.nll += loss.nll_sum;
  result.tokens += loss.tokens;
  batch = {};
}

}  // namespace

double Perplexity::perplexity() const { return std::exp(loss()); }
double Perplexity::bits_per_byte(uint64_t bytes) const { return nll / std::numbers::ln2 / static_cast<double>(bytes); }

Perplexity perplexity(const models::CausalModel& model, std::span<const std::vector<int32_t>> sequences,
                      const PerplexityOptions& options) {
  const int64_t window = options.window > 0 ? options.window : model.max_length();
  check<UsageError>(window >= 2 && window <= model.max_length(), "window: {} (2 to the model's {} positions)", window,
                    model.max_length());
  const int64_t stride = options.stride > 0 ? options.stride : std::max<int64_t>(window / 2, 1);
  check<UsageError>(stride <= window, "stride: {} would leave tokens out between windows of {}", stride, window);
  const NoGrad no_grad;
  Perplexity result;
  Batch batch;
  for (const auto& ids : sequences) {
    const auto length = static_cast<int64_t>(ids.size());
    int64_t predicted = 0;  // tokens of the sequence that windows before have seen
    for (int64_t begin = 0; predicted < length; begin += stride) {
      const int64_t end = std::min(begin + window, length);
      if (batch.text.ids.tokens() + end - begin > options.batch_tokens) score(model, batch, result);
      batch.text.ids.append(std::span(ids).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)));
      for (int64_t t = begin + 1; t < end; ++t)
        batch.targets.push_back(t < predicted ? -100 : ids[static_cast<size_t>(t)]);
      batch.targets.push_back(-100);
      predicted = end;
      ++result.windows;
    }
  }
  score(model, batch, result);
  check<DataError>(result.tokens > 0, "perplexity: no sequence of two tokens or more");
  return result;
}

std::optional<Perplexity> stream_perplexity(const models::CausalModel& model, const data::TokenStream& stream,
                                            const PerplexityOptions& options, const std::function<bool()>& stop) {
  const int64_t window = options.window > 0 ? options.window : model.max_length();
  check<UsageError>(window >= 1 && window <= model.max_length(), "window: {} (1 to the model's {} positions)", window,
                    model.max_length());
  const int64_t stride = options.stride > 0 ? options.stride : window;
  check<UsageError>(stride <= window, "stride: {} would leave tokens out between windows of {}", stride, window);
  const auto places = static_cast<int64_t>(stream.size()) - 1;  // that predict
  check<DataError>(places >= 1, "perplexity: the text has {} tokens, at least 2 are needed", stream.size());
  const NoGrad no_grad;
  Perplexity result;
  Batch batch;
  std::vector<int32_t> ids;
  int64_t predicted = 0;  // places that windows before have seen
  for (int64_t begin = 0; predicted < places; begin += stride) {
    const int64_t end = std::min(begin + window, places);
    if (batch.text.ids.tokens() + end - begin > options.batch_tokens) {
      if (stop && stop()) return std::nullopt;
      score(model, batch, result);
    }
    ids.clear();
    stream.append_to(ids, static_cast<uint64_t>(begin), static_cast<uint64_t>(end) + 1);
    batch.text.ids.append(std::span(ids).first(ids.size() - 1));
    for (int64_t t = begin; t < end; ++t)
      batch.targets.push_back(t < predicted ? -100 : ids[static_cast<size_t>(t - begin) + 1]);
    predicted = end;
    ++result.windows;
  }
  score(model, batch, result);
  return result;
}

std::optional<Perplexity> rows_perplexity(const models::CausalModel& model, size_t rows, const AppendRow& append,
                                          int64_t batch_tokens, const std::function<bool()>& stop) {
  const NoGrad no_grad;
  Perplexity result;
  Batch batch;
  for (size_t i = 0; i < rows; ++i) {
    append(i, batch.text, batch.targets);
    if (batch.text.ids.tokens() < batch_tokens) continue;
    if (stop && stop()) return std::nullopt;
    score(model, batch, result);
  }
  score(model, batch, result);
  result.windows = static_cast<int64_t>(rows);
  return result;
}

}  // namespace heed::tasks
