// The arguments of the backward of add_norm, bundled for its inner functions. Shapes: core/backend.h.
#pragma once

#include "heed/core/backend.h"

namespace heed::cpu {

struct NormBackward {
  TensorView sum, statistics;
  NormKind kind;
  TensorView gamma, dy, dsum;
  Dropout dropout;
  bool accumulate_dx;
  TensorView dx;
  bool accumulate_df;
  TensorView df;
};

}  // namespace heed::cpu
