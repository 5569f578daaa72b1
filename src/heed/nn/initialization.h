// Initial values of parameters. A Builder without random numbers leaves them as they are.
#pragma once

#include "heed/nn/parameters.h"

namespace heed::nn {

// Uniform in +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, equation 16).
void xavier_uniform(const Tensor& x, int64_t fan_in, int64_t fan_out, Builder& b);
// Normal with mean 0.
void normal(const Tensor& x, double deviation, Builder& b);
void constant(const Tensor& x, double value, Builder& b);

}  // namespace heed::nn
