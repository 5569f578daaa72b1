#include "heed/tasks/embedding.h"

#include <algorithm>
#include <cmath>

namespace heed::tasks {
namespace {

std::vector<float> mean_of_rows(const Tensor& x) {
  const std::vector<float> all = x.to_vector<float>();
  const auto width = static_cast<size_t>(x.dim(1));
  std::vector<double> sum(width);
  for (size_t i = 0; i < all.size(); ++i) sum[i % width] += all[i];
  std::vector<float> mean(width);
  for (size_t c = 0; c < width; ++c) mean[c] = static_cast<float>(sum[c] / static_cast<double>(x.dim(0)));
  return mean;
}

void to_unit_length(std::vector<float>& x) {
  double squares = 0;
  for (const float v : x) squares += static_cast<double>(v) * v;
  const double length = std::max(std::sqrt(squares), 1e-12);
  for (float& v : x) v = static_cast<float>(v / length);
}

}  // namespace

TextEmbedder TextEmbedder::load(const std::filesystem::path& folder, const models::LoadOptions& options) {
  return {EncoderTexts::load(folder, std::nullopt, options)};
}

std::vector<std::vector<float>> TextEmbedder::embed(const std::vector<text::TokenizedText>& texts, Pooling pooling,
                                                    bool normalize, size_t batch_size) const {
  std::vector<std::vector<float>> result(texts.size());
  const auto pointers = pointers_to(texts);
  for_each_batch(pointers, batch_size, [&](const models::TextBatch& batch, const std::vector<uint32_t>& members) {
    const Tensor hidden = model->hidden(batch, {});  // [tokens, model]
    const Tensor pooled = pooling == Pooling::kPooler ? model->pooled(hidden, batch) : Tensor();
    check<UsageError>(pooling != Pooling::kPooler || pooled.defined(), "the model has no pooler; take mean or cls");
    for (size_t row = 0; row < members.size(); ++row) {
      const int64_t begin = batch.ids.offsets[row], length = batch.ids.length(static_cast<int>(row));
      std::vector<float>& x = result[members[row]];
      if (pooling == Pooling::kMean) x = mean_of_rows(hidden.slice_rows(begin, length));
      else if (pooling == Pooling::kFirst) x = hidden.slice_rows(begin, 1).to_vector<float>();
      else x = pooled.slice_rows(static_cast<int64_t>(row), 1).to_vector<float>();
      if (normalize) to_unit_length(x);
    }
  });
  return result;
}

}  // namespace heed::tasks
