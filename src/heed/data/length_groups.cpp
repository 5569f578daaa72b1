#include "heed/data/length_groups.h"

#include <algorithm>
#include <numeric>

namespace heed::data {

std::vector<std::vector<uint32_t>> length_groups(std::span<const uint32_t> lengths, size_t max_rows,
                                                 size_t max_tokens) {
  check<UsageError>(max_rows >= 1, "length groups: max_rows is 0, expected at least 1");
  std::vector<uint32_t> order(lengths.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return lengths[a] > lengths[b]; });
  std::vector<std::vector<uint32_t>> groups;
  for (size_t begin = 0; begin < order.size();) {
    size_t rows = max_rows;
    if (max_tokens > 0) rows = std::min(rows, max_tokens / std::max<size_t>(lengths[order[begin]], 1));
    rows = std::clamp<size_t>(rows, 1, order.size() - begin);
    const auto first = order.begin() + static_cast<ptrdiff_t>(begin);
    groups.emplace_back(first, first + static_cast<ptrdiff_t>(rows));
    begin += rows;
  }
  return groups;
}

}  // namespace heed::data
