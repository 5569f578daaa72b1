// The element types of what operations pass on to one another (see Backend::activation_dtype()).
#pragma once

#include <initializer_list>

#include "heed/ops/ops.h"

namespace heed::ops {

// What the result of a recorded operation on `x`, a parameter or what followed from some, is kept in.
DType activation_dtype(const Tensor& x);

// bf16 if one of them is; undefined ones are skipped.
DType common_dtype(std::initializer_list<const Tensor*> tensors);

}  // namespace heed::ops
