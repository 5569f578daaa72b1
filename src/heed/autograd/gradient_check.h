// Gradients against finite differences, for tests and for whoever writes an op.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "heed/autograd/autograd.h"

namespace heed {

struct GradientCheck {
  double largest_error = 0;  // largest |analytic - numeric| / (1 + |numeric|)
  std::string where;         // of that error: "input 1, element 7: 0.25, numerically 0.5"
};

// Compares the gradients of f (which returns one element) for all `inputs` (f32 leaves) with central differences of
// step `epsilon` on at most `samples` evenly spread elements of each.
GradientCheck check_gradients(const std::function<Tensor(const std::vector<Tensor>&)>& f, std::vector<Tensor> inputs,
                              double epsilon = 1e-2, int samples = 40);

}  // namespace heed
