// What stands around a block of rows of a matrix product, on the calling thread alone while the block is in the cache.
// `first_row` is the block's first row among those that the dropout counts.
#pragma once

#include "heed/core/backend.h"

namespace heed::cpu {

// z = y + bias, y = dropout(act(z)); z may be empty.
void bias_activation(const TensorView& y, const TensorView& bias, Activation kind, const Dropout& dropout,
                     int64_t first_row, const TensorView& z);

// Turns dy into dz in place, and adds its sums over the rows to column_sums [cols] if that is not nullptr. `kept` is z
// where derivative_needs_input(kind), else y. ReLU's dropout is not drawn again: an element of y is above zero where it
// was kept and passed on.
void bias_activation_backward(const TensorView& kept, Activation kind, const Dropout& dropout, int64_t first_row,
                              const TensorView& dy, float* column_sums);

}  // namespace heed::cpu
