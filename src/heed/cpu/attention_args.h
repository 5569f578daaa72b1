// The arguments of the attention kernels, bundled for their inner functions. Shapes: core/backend.h.
#pragma once

#include "heed/core/backend.h"

namespace heed::cpu {

struct AttentionForward {
  TensorView q, k, v, y, lse;
  AttentionParams params;
};

struct AttentionBackward {
  TensorView q, k, v, y, lse, dy;
  AttentionParams params;
  bool accumulate;
  TensorView dq, dk, dv, dbias;
};

struct AttentionCached {
  TensorView q, keys, values, y;
  CachedKeys places;
  AttentionParams params;
};

}  // namespace heed::cpu
