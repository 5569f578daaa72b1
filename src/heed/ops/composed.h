// The fused operations composed of elementary ones: slow, plain, and the oracle that the fused ones are tested against.
#pragma once

#include "heed/ops/ops.h"

namespace heed::ops::composed {

Tensor linear(const Tensor& x, const Weight& w, const Tensor& bias, Activation activation);
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const SegmentsPtr& segments,
                 const AttentionParams& params, const Tensor& bias = {});
Tensor rope(const Tensor& x, const Rotation& rotation);
Tensor linear_cross_entropy(const Tensor& x, const Weight& w, const Tensor& targets, float smoothing, double divisor);

}  // namespace heed::ops::composed
