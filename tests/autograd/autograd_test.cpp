#include "heed/autograd/autograd.h"

#include <gtest/gtest.h>

#include "heed/autograd/gradient_check.h"
#include "heed/ops/ops.h"

namespace heed {
namespace {

Tensor leaf(std::vector<float> values) {
  const auto n = static_cast<int64_t>(values.size());
  return Tensor::from(values, {1, n}).set_requires_grad(true);
}

TEST(Backward, SumsOverAllUses) {
  const Tensor x = leaf({1, 2, 3});
  const Tensor y = ops::multiply(x, x);                  // x^2
  backward(ops::sum(ops::add(ops::multiply(y, x), y)));  // x^3 + x^2
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{5, 16, 33}));
}

TEST(Backward, AddsToWhatWasThere) {
  const Tensor x = leaf({1, 2});
  backward(ops::sum(ops::scale(x, 3)));
  backward(ops::sum(ops::scale(x, 4)), 0.5f);
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{5, 5}));
}

TEST(Backward, GradientsOfWindowsMeetInTheWhole) {
  const Tensor x = leaf({1, 2, 3, 4});
  const Tensor y = ops::multiply(x.slice_columns(0, 2), x.slice_columns(1, 2));  // [x0 x1, x1 x2]
  backward(ops::sum(y));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{2, 4, 2, 0}));
}

TEST(Backward, NothingIsRecordedWithoutNeed) {
  const Tensor x = leaf({1}), constant = Tensor::full({1, 1}, 2);
  {
    const NoGrad off;
    EXPECT_FALSE(ops::scale(x, 2).requires_grad());
  }
  EXPECT_TRUE(ops::scale(x, 2).requires_grad());
  EXPECT_FALSE(ops::scale(constant, 2).requires_grad());
  backward(ops::multiply(x, constant));
  EXPECT_FALSE(constant.grad().defined());
}

TEST(Backward, TellsWhenALeafIsFinal) {
  const Tensor x = leaf({1, 2}), w = leaf({3, 4});
  std::vector<TensorBody*> ready;
  backward(ops::sum(ops::multiply(ops::multiply(x, w), x)), 1, [&](TensorBody& b) { ready.push_back(&b); });
  EXPECT_EQ(ready.size(), 2u);
  EXPECT_NE(ready[0], ready[1]);
}

TEST(Backward, FreesTheTape) {
  std::weak_ptr<TensorBody> inner;
  const Tensor x = leaf({1, 2});
  {
    const Tensor y = ops::scale(x, 2);
    inner = y.body();
    const Tensor loss = ops::sum(ops::multiply(y, y));
    backward(loss);
  }
  EXPECT_TRUE(inner.expired());
  EXPECT_THROW(backward(x), ShapeError);
}

TEST(GradientCheck, FindsAWrongGradient) {
  const auto wrong = [](const std::vector<Tensor>& x) {
    Tensor y = Tensor::full({1}, 2 * x[0].data<float>()[0]);
    record(y, {&x[0]}, [input = x[0]](const Tensor&) {
      if (auto dx = grad_slot(input)) dx.dx.data<float>()[0] = 3;  // the truth is 2
    });
    return y;
  };
  EXPECT_GT(check_gradients(wrong, {Tensor::full({1}, 1)}).largest_error, 0.3);
}

}  // namespace
}  // namespace heed
