#include <gtest/gtest.h>

#include <cmath>

#include "heed/ops/composed.h"
#include "heed/ops/ops.h"
#include "ops/op_case.h"

namespace heed {
namespace {

using testing::run;

Tensor identity(int64_t n) {
  Tensor x = Tensor::zeros({n, n});
  for (int64_t i = 0; i < n; ++i) x.data<float>()[i * n + i] = 1;
  return x;
}

Tensor classes(const std::vector<int32_t>& ids) { return Tensor::from(ids, {static_cast<int64_t>(ids.size())}); }

Tensor composed_cross_entropy(const Tensor& logits, const Tensor& targets, float smoothing, double divisor) {
  return ops::composed::linear_cross_entropy(logits, ops::Weight(identity(logits.shape().cols())), targets, smoothing,
                                             divisor);
}

TEST(Losses, CrossEntropy) {
  const Tensor targets = classes({2, -100, 0, 6, 2});
  for (const float smoothing : {0.0f, 0.1f})
    run({"cross entropy",
         {{5, 7}},
         [=](const auto& x) { return ops::cross_entropy(x[0], targets, smoothing, 2.5).loss; },
         [=](const auto& x) { return composed_cross_entropy(x[0], targets, smoothing, 2.5); }});
  const auto result = ops::cross_entropy(testing::random_tensor({5, 7}, 1), targets, 0, 4);
  EXPECT_EQ(result.targets, 4);
  EXPECT_NEAR(result.loss.item(), result.loss_sum / 4, 1e-6);
  EXPECT_EQ(ops::cross_entropy(Tensor::empty({0, 7}), classes({}), 0, 1).loss.item(), 0);
  EXPECT_THROW(ops::cross_entropy(testing::random_tensor({1, 7}, 1), classes({7}), 0, 1), ShapeError);
}

// Class by class: each row's cross entropy with it, times its share.
Tensor composed_soft(const Tensor& z, const Tensor& shares, double divisor) {
  Tensor loss = Tensor::zeros({1});
  for (int64_t r = 0; r < z.dim(0); ++r)
    for (int32_t c = 0; c < z.dim(1); ++c) {
      const Tensor one = composed_cross_entropy(z.slice_rows(r, 1), classes({c}), 0, divisor);
      loss = ops::add(loss, ops::scale(one, shares.data<float>()[r * z.dim(1) + c]));
    }
  return loss;
}

TEST(Losses, SoftCrossEntropy) {
  // Probabilities, one class alone, weights whose sum is not 1, nothing.
  const Tensor shares = Tensor::from(std::vector<float>{0.2f, 0.5f, 0.3f, 0, 0, 1, 1.5f, 0, 2, 0, 0, 0}, {4, 3});
  run({"soft cross entropy",
       {{4, 3}},
       [=](const auto& x) { return ops::soft_cross_entropy(x[0], shares, 2.5).loss; },
       [=](const auto& x) { return composed_soft(x[0], shares, 2.5); }});
  const Tensor z = testing::random_tensor({4, 3}, 1);
  const auto result = ops::soft_cross_entropy(z, shares, 4);
  EXPECT_EQ(result.targets, 3);
  EXPECT_NEAR(result.loss.item(), result.loss_sum / 4, 1e-6);
  // One class alone is that class's cross entropy, bit for bit.
  const auto hard = ops::cross_entropy(z.slice_rows(1, 1), classes({2}), 0, 1);
  EXPECT_EQ(ops::soft_cross_entropy(z.slice_rows(1, 1), shares.slice_rows(1, 1), 1).loss_sum, hard.loss_sum);
  EXPECT_EQ(ops::soft_cross_entropy(Tensor::empty({0, 3}), Tensor::empty({0, 3}), 1).loss.item(), 0);
  EXPECT_THROW(ops::soft_cross_entropy(z, shares.slice_rows(0, 3), 1), ShapeError);
}

// v CE(z, yes) + (1 - v) CE(z, no), one question at a time.
Tensor composed_binary(const Tensor& z, const Tensor& values, double divisor) {
  Tensor loss = Tensor::zeros({1});
  for (int64_t r = 0; r < z.dim(0); ++r)
    for (int64_t c = 0; c < z.dim(1); ++c) {
      const Tensor pair = ops::concatenate_columns({Tensor::zeros({1, 1}), z.slice_rows(r, 1).slice_columns(c, 1)});
      const float v = values.data<float>()[r * z.dim(1) + c];
      loss = ops::add(loss, ops::scale(composed_cross_entropy(pair, classes({1}), 0, divisor), v));
      loss = ops::add(loss, ops::scale(composed_cross_entropy(pair, classes({0}), 0, divisor), 1 - v));
    }
  return loss;
}

TEST(Losses, BinaryCrossEntropy) {
  const Tensor values = Tensor::from(std::vector<float>{0, 1, 1, 0.25f, 0.75f, 0}, {2, 3});
  run({"binary cross entropy",
       {{2, 3}},
       [=](const auto& x) { return ops::binary_cross_entropy(x[0], values, 6).loss; },
       [=](const auto& x) { return composed_binary(x[0], values, 6); }});
  // Where the answer is sure, the loss is small and not the difference of large numbers.
  const Tensor sure = Tensor::from(std::vector<float>{30, -30}, {1, 2});
  const auto right = ops::binary_cross_entropy(sure, Tensor::from(std::vector<float>{1, 0}, {1, 2}), 1);
  EXPECT_LT(right.loss.item(), 1e-6);
  EXPECT_EQ(right.targets, 2);
  const auto wrong = ops::binary_cross_entropy(sure, Tensor::from(std::vector<float>{0, 1}, {1, 2}), 1);
  EXPECT_NEAR(wrong.loss.item(), 60, 1e-4);
}

TEST(Losses, SquaredError) {
  const Tensor values = testing::random_tensor({3, 2}, 5);
  run({"squared error",
       {{3, 2}},
       [=](const auto& x) { return ops::squared_error(x[0], values, 6).loss; },
       [=](const auto& x) {
         const Tensor d = ops::add(x[0], ops::scale(values, -1));
         return ops::scale(ops::sum(ops::multiply(d, d)), 1.0f / 6);
       }});
}

TEST(Losses, SpanCrossEntropy) {
  const std::vector<int32_t> offsets{0, 4, 4, 5, 11}, begins{1, 0, 0, 6}, ends{3, 0, -1, 2};
  run({"span cross entropy",
       {{11, 2}},
       [=](const auto& x) { return ops::span_cross_entropy(x[0], offsets, begins, ends, 3).loss; },
       [=](const auto& x) {
         Tensor loss = Tensor::zeros({1});
         for (size_t i = 0; i + 1 < offsets.size(); ++i) {
           const int32_t length = offsets[i + 1] - offsets[i];
           if (length == 0) continue;
           const auto place = [&](int32_t p) { return p < 0 || p >= length ? -100 : p; };
           const Tensor turned = ops::matmul(identity(2), x[0].slice_rows(offsets[i], length), false, true);
           const Tensor two = classes({place(begins[i]), place(ends[i])});
           loss = ops::add(loss, composed_cross_entropy(turned, two, 0, 6));
         }
         return loss;
       }});
  const auto result = ops::span_cross_entropy(testing::random_tensor({11, 2}, 1), offsets, begins, ends, 3);
  EXPECT_EQ(result.targets, 3);
  EXPECT_NEAR(result.loss.item(), result.loss_sum / 3, 1e-6);
}

}  // namespace
}  // namespace heed
