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

}  // namespace heed::tasks
