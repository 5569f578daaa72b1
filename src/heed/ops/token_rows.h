// TokenRows: a packed batch: which example each token row belongs to and where in it the row stands.
//
// Sentences lie one behind the other without padding, so every row-wise operation works on real tokens only; attention
// gets the sentences as segments. Dropout draws by (example, position), so the draw does not depend on the packing.
#pragma once

#include <memory>
#include <vector>

#include "heed/base/ragged.h"
#include "heed/core/backend.h"
#include "heed/tensor/tensor.h"

namespace heed::ops {

struct TokenRows {
  std::vector<int32_t> offsets;   // [sentences + 1]
  std::vector<int32_t> position;  // [tokens]
  std::vector<uint32_t> example;  // [tokens]

  int64_t tokens() const { return static_cast<int64_t>(position.size()); }
  int sentences() const { return static_cast<int>(offsets.size()) - 1; }

  // position and example, i32 [tokens], in the memory of a GPU. Brought there on first use, after which the arrays must
  // stay as they are. Thread-safe.
  struct Arrays {
    Tensor position, example;
  };
  const Arrays& on(Device device) const;

 private:
  mutable std::shared_ptr<const Arrays> elsewhere_;
};

using TokenRowsPtr = std::shared_ptr<const TokenRows>;

// The rows of a ragged batch; `examples` names its sentences for dropout (by default 0, 1, 2, …).
TokenRowsPtr token_rows(const Ragged& batch, const std::vector<uint32_t>& examples = {});

// The segments of self-attention within `rows`, or of attention from `queries` to `keys`, sentence by sentence.
using SegmentsPtr = std::shared_ptr<const std::vector<Segment>>;
SegmentsPtr segments(const TokenRows& queries, const TokenRows& keys);

// One place of a model where dropout acts, for one batch. Inactive by default.
struct DropoutSite {
  Dropout dropout;
  TokenRowsPtr rows;  // keeps the arrays alive that `dropout` points to
  // The same for the kernels of `device`.
  Dropout on(Device device) const;
};

// Dropout of `rate` at `site` over the rows of a batch; `key` comes from the run's seed and the epoch.
DropoutSite dropout_site(float rate, uint64_t key, uint32_t site, const TokenRowsPtr& rows);

}  // namespace heed::ops
