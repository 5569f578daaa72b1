// Initial values of parameters, drawn by Philox: a pure function of the seed and the order of creation.
#pragma once

#include "heed/base/random.h"
#include "heed/tensor/tensor.h"

namespace heed::nn {

// Uniform in ±(6 / (fan_in + fan_out))^1/2 (Glorot and Bengio 2010, equation 16).
void xavier_uniform(const Tensor& x, int64_t fan_in, int64_t fan_out, Random& random);
void normal(const Tensor& x, double deviation, Random& random);

}  // namespace heed::nn
