// Relative positions as learned biases of attention's scores, by buckets of distances (Raffel et al. 2020,
// section 2.1).
#pragma once

#include "heed/nn/layers.h"

namespace heed::nn {

struct RelativePositionConfig {
  int heads = 1;
  int buckets = 32;           // at least 4
  int max_distance = 128;     // from which on all distances share a bucket; more than half of a direction's buckets
  bool bidirectional = true;  // half of the buckets are for keys to the right of the query; else those share bucket 0
};

// The bucket of a key that stands `distance` places to the right of the query (negative: to the left): half of a
// direction's buckets hold one distance each, the other half grow with the logarithm of the distance.
int relative_position_bucket(int distance, const RelativePositionConfig& config);

class RelativePositions {
 public:
  RelativePositions() = default;
  // `name`: of the embedding [buckets, heads], without ".weight".
  RelativePositions(Builder& b, const std::string& name, const RelativePositionConfig& config);
  // The table of a DistanceBias (core/backend.h): [2 * max_distance + 1, heads].
  Tensor operator()() const;

 private:
  Tensor embedding_;  // [buckets, heads]
  Tensor buckets_;    // i32 [2 * max_distance + 1]
  ops::TokenRowsPtr rows_;
};

}  // namespace heed::nn
