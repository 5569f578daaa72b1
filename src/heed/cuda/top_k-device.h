// The order of a top-k: larger values first, ties to the lower index. NaN never enters.
#pragma once

#include <cmath>

#include "heed/cuda/device_code.h"

namespace heed::cuda {

struct Candidate {
  float value;
  int32_t index;  // -1: none
};

HEED_DEVICE bool is_better(const Candidate& a, const Candidate& b) {
  if (a.index < 0 || b.index < 0) return a.index >= 0 && b.index < 0;
  return a.value > b.value || (a.value == b.value && a.index < b.index);
}

// The best few of the elements first, first + step, … of x that come behind `last` in the order (`last` none: of all)
// and are above -inf, best first. When they have been taken out, fill() finds the next ones.
template <int kFew>
struct BestFew {
  Candidate few[kFew];

  HEED_DEVICE void fill(const float* x, int32_t first, int32_t step, int32_t n, const Candidate& last) {
    for (Candidate& c : few) c = {0, -1};
    for (int32_t i = first; i < n; i += step) {
      Candidate candidate{x[i], i};
      const bool is_number = candidate.value > -INFINITY;  // false for NaN too
      if (!is_number || (last.index >= 0 && !is_better(last, candidate))) continue;
      for (Candidate& c : few) {  // each better one goes in, and what it displaces on
        if (!is_better(candidate, c)) continue;
        const Candidate displaced = c;
        c = candidate;
        candidate = displaced;
      }
    }
  }
  HEED_DEVICE const Candidate& best() const { return few[0]; }
  HEED_DEVICE bool empty() const { return few[0].index < 0; }
  HEED_DEVICE void take_out_best() {
    for (int i = 0; i + 1 < kFew; ++i) few[i] = few[i + 1];
    few[kFew - 1] = {0, -1};
  }
};

}  // namespace heed::cuda
