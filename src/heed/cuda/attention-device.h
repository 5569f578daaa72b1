// Which keys a query sees, where its biases lie, and how segments are cut into tiles.
#pragma once

#include <span>
#include <vector>

#include "heed/core/backend.h"
#include "heed/cuda/device_code.h"

namespace heed::cuda {

// How many keys query i of the segment sees.
HEED_DEVICE int visible_keys(const Segment& s, bool causal, int i) {
  if (!causal) return s.k_len;
  const int64_t most = int64_t{s.q_offset} + i + 1;
  return most < 0 ? 0 : most < s.k_len ? static_cast<int>(most) : s.k_len;
}

// The first query that sees the key at `key`, if any does: those before it need not be looked at.
HEED_DEVICE int first_query_of(const Segment& s, bool causal, int key) {
  if (!causal) return 0;
  const int64_t first = int64_t{key} - s.q_offset;
  return first < 0 ? 0 : first < s.q_len ? static_cast<int>(first) : s.q_len;
}

// The row of a DistanceBias's table for a distance (key - query).
HEED_DEVICE int bias_row(int reach, int64_t distance) {
  return distance < -reach ? 0 : distance > reach ? 2 * reach : static_cast<int>(distance) + reach;
}

// A stretch of one segment's queries or keys that a block of threads works on.
struct Tile {
  int32_t segment, first;
};

// The queries (else keys) of all segments in tiles of `size`, segment by segment. `ends`, if not nullptr, gets for each
// segment how many tiles there are up to its end.
inline std::vector<Tile> make_tiles(std::span<const Segment> segments, bool queries, int size,
                                    std::vector<int32_t>* ends = nullptr) {
  std::vector<Tile> tiles;
  for (size_t i = 0; i < segments.size(); ++i) {
    const int32_t length = queries ? segments[i].q_len : segments[i].k_len;
    for (int32_t first = 0; first < length; first += size) tiles.push_back({static_cast<int32_t>(i), first});
    if (ends) ends->push_back(static_cast<int32_t>(tiles.size()));
  }
  return tiles;
}

}  // namespace heed::cuda
