// Ragged: rows of token ids of different lengths, one behind the other, without padding.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace heed {

struct Ragged {
  std::vector<int32_t> ids;
  std::vector<int32_t> offsets{0};  // row i is ids[offsets[i] .. offsets[i + 1])

  int rows() const { return static_cast<int>(offsets.size()) - 1; }
  int64_t tokens() const { return static_cast<int64_t>(ids.size()); }
  int length(int i) const { return offsets[static_cast<size_t>(i) + 1] - offsets[static_cast<size_t>(i)]; }
  std::span<const int32_t> row(int i) const {
    return {ids.data() + offsets[static_cast<size_t>(i)], static_cast<size_t>(length(i))};
  }
  void append(std::span<const int32_t> row) {
    ids.insert(ids.end(), row.begin(), row.end());
    offsets.push_back(static_cast<int32_t>(ids.size()));
  }
  bool operator==(const Ragged&) const = default;
};

}  // namespace heed
