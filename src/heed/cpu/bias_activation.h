// y = act(y + bias) in place, on the calling thread alone: the epilogue of a block of a matrix product.
#pragma once

#include "heed/core/backend.h"

namespace heed::cpu {

void bias_activation(const TensorView& y, const TensorView& bias, Activation kind);

}  // namespace heed::cpu
