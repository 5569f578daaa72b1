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

// The best of the elements first, first + step, … of x that come behind `last` in the order (`last` none: of all) and
// are above -inf.
HEED_DEVICE Candidate best_behind(const float* x, int32_t first, int32_t step, int32_t n, const Candidate& last) {
  Candidate best{0, -1};
  for (int32_t i = first; i < n; i += step) {
    const Candidate candidate{x[i], i};
    const bool is_number = candidate.value > -INFINITY;  // false for NaN too
    if (is_number && (last.index < 0 || is_better(last, candidate)) && is_better(candidate, best)) best = candidate;
  }
  return best;
}

}  // namespace heed::cuda
