// Choosing one token from a row of logits: the largest, or one drawn at random. Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace heed::decode {

// The index of the largest value, the lowest of several; -1 if all are -inf or NaN.
int32_t argmax(std::span<const float> logits);

// Uniform in [0, 1), a pure function of its arguments (Philox; random.h): what a row draws does not depend on its
// batch. `example` is the input's number in its data, `step` counts new tokens, `sample` the outputs of one input.
double uniform_draw(uint64_t seed, uint64_t example, uint32_t step, uint32_t sample);

// The index at which the cumulative softmax of the logits, in order of index, passes u in [0, 1); -1 if all are -inf.
int32_t sample(std::span<const float> logits, double u, std::vector<float>& scratch);

}  // namespace heed::decode
