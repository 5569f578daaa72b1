#include "heed/tasks/masked_lm.h"

#include <algorithm>
#include <cmath>

#include "heed/tensor/backends.h"

namespace heed::tasks {

MaskFiller MaskFiller::load(const std::filesystem::path& folder, const models::LoadOptions& options) {
  MaskFiller filler{EncoderTexts::load(folder, models::Head::kMaskedLM, options)};
  check<ConfigError>(filler.tokenizer->mask_id() >= 0, "{}: the tokenizer has no mask token", folder.string());
  return filler;
}

std::vector<std::vector<std::vector<Filling>>> MaskFiller::fill(const std::vector<text::TokenizedText>& texts,
                                                                size_t top_k, size_t batch_size) const {
  std::vector<std::vector<std::vector<Filling>>> result(texts.size());
  const auto pointers = pointers_to(texts);
  // A model may have more rows than its tokenizer has tokens.
  const int tokens = tokenizer->vocab_size(), rows_beyond = model->vocab_size() - tokens;
  const auto wanted = static_cast<int>(std::min(top_k, static_cast<size_t>(tokens)));
  const int k = std::min(wanted + rows_beyond, model->vocab_size());
  const int32_t mask_id = tokenizer->mask_id();
  for_each_batch(pointers, batch_size, [&](const models::TextBatch& batch, const std::vector<uint32_t>& members) {
    const Tensor z = model->logits(batch, {});  // [tokens, vocab]
    const Tensor values = Tensor::empty({1, k}, DType::kF32, z.device());
    const Tensor indices = Tensor::empty({1, k}, DType::kI32, z.device());
    for (size_t row = 0; row < members.size(); ++row) {
      std::vector<int32_t> ids = texts[members[row]].ids;
      for (size_t t = 0; t < ids.size(); ++t) {
        if (ids[t] != mask_id) continue;
        const Tensor at = z.slice_rows(batch.ids.offsets[row] + static_cast<int64_t>(t), 1);
        backend(z.device()).log_softmax_top_k(at.view(), k, values.view(), indices.view());
        const auto logs = values.to_vector<float>();
        const auto best = indices.to_vector<int32_t>();
        std::vector<Filling>& fillings = result[members[row]].emplace_back();
        const bool only_mask = std::ranges::count(ids, mask_id) == 1;
        for (size_t i = 0; i < best.size() && std::ssize(fillings) < wanted; ++i) {
          ids[t] = best[i];
          if (ids[t] >= tokens) continue;
          fillings.push_back({ids[t], tokenizer->decode(std::span(&ids[t], 1), false), std::exp(logs[i]),
                              tokenizer->decode(ids, only_mask)});
        }
        ids[t] = mask_id;
      }
    }
  });
  return result;
}

}  // namespace heed::tasks
