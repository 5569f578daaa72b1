// What a head for texts stands on: something that gives each token of a text a vector, be it an encoder or an encoder
// and a decoder that read the same text. const calls are thread-safe.
#pragma once

#include <vector>

#include "heed/models/interface.h"

namespace heed::models {

class TextBody {
 public:
  virtual ~TextBody() = default;
  virtual const ops::Weight& words() const = 0;  // the embeddings: [vocab, model]
  virtual int max_length() const = 0;            // tokens that a row may have
  // [tokens, model], of a batch that passed check_batch().
  virtual Tensor operator()(const TextBatch& batch, const ops::TokenRowsPtr& rows, const nn::Pass& pass) const = 0;
  // Which token of each row stands for the whole, among all tokens of the batch: [rows].
  virtual std::vector<int32_t> whole(const TextBatch& batch) const = 0;
};

// Throws DataError if a row is empty, is too long or has an id that is none of the body's.
void check_batch(const TextBody& body, const TextBatch& batch);

// Segments of which only the first visible[i] keys of row i are seen; `all` itself if nothing is hidden. No row is
// empty.
ops::SegmentsPtr with_visible_keys(const ops::SegmentsPtr& all, const std::vector<int32_t>& visible);

}  // namespace heed::models
