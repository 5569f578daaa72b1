#include "heed/autograd/autograd.h"

#include <gtest/gtest.h>

#include <set>

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

// A sum hands its gradient on to its first summand, which may get more from elsewhere, before and after.
TEST(Backward, AGradientHandedOnIsNobodyElses) {
  const Tensor x = leaf({1, 2, 3});
  const Tensor y = ops::scale(x, 2), z = ops::scale(x, 3);
  const Tensor twice = ops::add(y, y);                                                // 4 x
  const Tensor all = ops::add(ops::add(twice, z), ops::multiply(ops::add(y, z), y));  // 7 x + 5 x * 2 x
  backward(ops::sum(all));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{27, 47, 67}));  // 7 + 20 x
}

TEST(Backward, AGradientIsNotHandedOnToALeafOrAPart) {
  const Tensor x = leaf({1, 2, 3, 4}), w = leaf({5, 6});
  backward(ops::sum(ops::add(w, ops::add(x.slice_columns(0, 2), x.slice_columns(2, 2)))));
  backward(ops::sum(ops::add(w, w)));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{1, 1, 1, 1}));
  EXPECT_EQ(w.grad().to_vector<float>(), (std::vector<float>{3, 3}));
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

// x -> w x, squared, with w a leaf that only f knows.
Tensor squared_product(const Tensor& x, const Tensor& w) {
  const Tensor y = ops::multiply(x, w);
  return ops::multiply(y, y);
}

TEST(Checkpointed, GivesTheGradientsOfThePlainFunction) {
  std::vector<std::vector<float>> found;
  for (const bool checkpoint : {false, true}) {
    const Tensor x = leaf({1, 2}), w = leaf({3, 4});
    const auto f = [w](const std::vector<Tensor>& in) { return squared_product(in[0], w); };
    const Tensor h = ops::scale(x, 2);
    const Tensor y = checkpoint ? checkpointed({h}, f) : f({h});
    std::vector<TensorBody*> ready;
    backward(ops::sum(ops::add(y, h)), 1, [&](TensorBody& b) { ready.push_back(&b); });
    EXPECT_EQ(std::set(ready.begin(), ready.end()), (std::set{x.body().get(), w.body().get()}));
    EXPECT_EQ(ready.size(), 2u);
    found.push_back(x.grad().to_vector<float>());
    found.push_back(w.grad().to_vector<float>());
  }
  EXPECT_EQ(found[0], found[2]);
  EXPECT_EQ(found[1], found[3]);
  EXPECT_EQ(found[2], (std::vector<float>{4 * 2 * 9 * 1 + 2, 4 * 2 * 16 * 2 + 2}));
}

TEST(Checkpointed, InputsMayNeedNoGradient) {
  const Tensor x = Tensor::full({1, 2}, 2), w = leaf({3, 4});
  backward(ops::sum(checkpointed({x}, [w](const std::vector<Tensor>& in) { return squared_product(in[0], w); })));
  EXPECT_EQ(w.grad().to_vector<float>(), (std::vector<float>{24, 32}));
}

TEST(Checkpointed, NestsAndAccumulates) {
  const Tensor w = leaf({3, 4});
  const auto f = [w](const std::vector<Tensor>& in) { return ops::multiply(in[0], w); };
  const auto twice = [f](const std::vector<Tensor>& in) { return checkpointed({checkpointed(in, f)}, f); };
  const Tensor x = leaf({1, 2});
  backward(ops::sum(ops::add(checkpointed({x}, twice), x)));  // w^2 x + x
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{10, 17}));
  EXPECT_EQ(w.grad().to_vector<float>(), (std::vector<float>{6, 16}));
}

}  // namespace
}  // namespace heed
