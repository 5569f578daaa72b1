#include "heed/models/text_body.h"

#include "heed/base/error.h"

namespace heed::models {

void check_batch(const TextBody& body, const TextBatch& batch) {
  const auto rows = static_cast<size_t>(batch.ids.rows());
  check<ShapeError>(batch.types.empty() || batch.types.size() == batch.ids.ids.size(), "{} token types for {} tokens",
                    batch.types.size(), batch.ids.ids.size());
  check<ShapeError>(batch.visible.empty() || batch.visible.size() == rows, "{} numbers of visible tokens for {} rows",
                    batch.visible.size(), rows);
  for (size_t i = 0; i < rows; ++i) {
    const int length = batch.ids.length(static_cast<int>(i));
    check<DataError>(length > 0 && length <= body.max_length(), "a row of {} tokens; the model takes 1 to {}", length,
                     body.max_length());
    check<ShapeError>(batch.visible.empty() || (batch.visible[i] > 0 && batch.visible[i] <= length),
                      "{} tokens visible in a row of {}", batch.visible.empty() ? 0 : batch.visible[i], length);
  }
  const int64_t vocab = body.words().out_features();
  for (const int32_t id : batch.ids.ids)
    check<DataError>(id >= 0 && id < vocab, "token id {}; the model has {} tokens", id, vocab);
}

ops::SegmentsPtr with_visible_keys(const ops::SegmentsPtr& all, const std::vector<int32_t>& visible) {
  if (visible.empty()) return all;
  auto cut = std::make_shared<std::vector<Segment>>(*all);  // no row is empty: segment i is row i
  for (size_t i = 0; i < cut->size(); ++i) (*cut)[i].k_len = visible[i];
  return cut;
}

}  // namespace heed::models
