#include "heed/nn/relative_positions.h"

#include <algorithm>
#include <cmath>

namespace heed::nn {

int relative_position_bucket(int distance, const RelativePositionConfig& c) {
  const int in_direction = c.bidirectional ? c.buckets / 2 : c.buckets, exact = in_direction / 2;
  const int first = c.bidirectional && distance > 0 ? in_direction : 0;
  const int away = c.bidirectional ? std::abs(distance) : std::max(-distance, 0);
  if (away < exact) return first + away;
  // In single precision, as the models were trained with: the edges of the buckets depend on it.
  const auto octaves = static_cast<float>(std::log(static_cast<double>(c.max_distance) / exact));
  const float share = std::log(static_cast<float>(away) / static_cast<float>(exact)) / octaves;
  const int beyond = static_cast<int>(share * static_cast<float>(in_direction - exact));
  return first + std::min(exact + beyond, in_direction - 1);
}

RelativePositions::RelativePositions(Builder& b, const std::string& name, const RelativePositionConfig& c)
    : embedding_(b.store.create({name + ".weight"}, {c.buckets, c.heads})) {
  std::vector<int32_t> buckets;
  for (int distance = -c.max_distance; distance <= c.max_distance; ++distance)
    buckets.push_back(relative_position_bucket(distance, c));
  auto rows = std::make_shared<ops::TokenRows>();
  rows->position.resize(buckets.size());
  rows->example.resize(buckets.size());
  buckets_ = Tensor::from(buckets, {rows->tokens()});
  rows_ = std::move(rows);
}

Tensor RelativePositions::operator()() const { return ops::embedding(buckets_, embedding_, 1, rows_, {}, {}); }

}  // namespace heed::nn
