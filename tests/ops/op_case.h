// OpCase: one description of an operation from which its tests follow.
//
// From the inputs' shapes, the operation and a plain reference composed of elementary operations follow: the same
// result and the same gradients as the reference, gradients against finite differences, the same bits when repeated,
// the same numbers for another thread count. With HEED_TEST_DEVICE=cuda in the environment, instead: the same result
// and gradients on that device as on the CPU, and the same bits there when repeated.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "heed/autograd/gradient_check.h"

namespace heed::testing {

using OpFunction = std::function<Tensor(const std::vector<Tensor>&)>;

struct OpCase {
  std::string name;
  std::vector<Shape> inputs;  // filled with normal random numbers
  OpFunction op;
  OpFunction reference;              // may be empty: then only the gradients are checked
  double tolerance = 2e-5;           // relative to 1 + |expected|
  bool smooth = true;                // else finite differences may step over a kink and are left out
  double gradient_tolerance = 2e-2;  // of finite differences
};

// Runs all checks of a case; failures name the case and the element.
void run(const OpCase& op_case);

// Normal random numbers, a pure function of the seed.
Tensor random_tensor(Shape shape, uint64_t seed);

// Fails unless both have the same shape and differ by at most tolerance * (1 + |expected|) everywhere.
void expect_near(const Tensor& actual, const Tensor& expected, double tolerance, const std::string& what);

}  // namespace heed::testing
