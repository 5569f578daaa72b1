#include "heed/models/interface.h"

#include <algorithm>

namespace heed::models {

std::vector<int32_t> next_tokens(const Ragged& ids) {
  std::vector<int32_t> next(ids.ids.size(), -100);
  for (int i = 0; i < ids.rows(); ++i) {
    const auto row = ids.row(i);
    if (!row.empty()) std::copy(row.begin() + 1, row.end(), next.begin() + ids.offsets[static_cast<size_t>(i)]);
  }
  return next;
}

}  // namespace heed::models
