// A step repeats bit for bit for one thread count, whichever thread computes which part of it.
#include <gtest/gtest.h>

#include "heed/base/threads.h"
#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"
#include "ops/op_case.h"

namespace heed {
namespace {

using testing::random_tensor;

// More threads than cores, so that parts are taken from those that wait for one.
constexpr int kThreads = 5, kRounds = 40;
constexpr int64_t kRows = 3000, kIn = 40, kOut = 70;

using Numbers = std::vector<std::vector<float>>;

// The gradients that sum over the rows, of a linear map and of a norm, and a sum over all.
Numbers step(DType product) {
  const Tensor x = random_tensor({kRows, kIn}, 1);
  const Tensor w = random_tensor({kOut, kIn}, 2).set_requires_grad(true);
  const Tensor bias = random_tensor({kOut}, 3).set_requires_grad(true);
  const Tensor gamma = random_tensor({kOut}, 4).set_requires_grad(true);
  const Tensor beta = random_tensor({kOut}, 5).set_requires_grad(true);
  w.body()->product = product;
  ops::NormWeights norm;
  norm.gamma = gamma;
  norm.beta = beta;
  const Tensor y = ops::add_norm(ops::linear(x, ops::Weight(w), bias, Activation::kRelu), {}, {}, norm).y;
  const Tensor loss = ops::sum(ops::multiply(y, random_tensor({kRows, kOut}, 6)));
  backward(loss);
  return {loss.to_vector<float>(), w.grad().to_vector<float>(), bias.grad().to_vector<float>(),
          gamma.grad().to_vector<float>(), beta.grad().to_vector<float>()};
}

TEST(Repeat, GradientsAreTheSameWhicheverThreadTakesAPart) {
  set_thread_count(kThreads);
  for (const DType product : {DType::kF32, DType::kBF16}) {
    const Numbers first = step(product);
    for (int round = 1; round < kRounds; ++round) ASSERT_EQ(step(product), first) << "round " << round;
  }
  set_thread_count(0);
}

}  // namespace
}  // namespace heed
