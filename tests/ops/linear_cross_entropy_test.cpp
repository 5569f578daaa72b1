#include <gtest/gtest.h>

#include "heed/ops/composed.h"
#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"
#include "ops/op_case.h"

namespace heed {
namespace {

using testing::run;

TEST(LinearCrossEntropy, MatchesComposed) {
  for (const float smoothing : {0.0f, 0.1f}) {
    for (const bool transposed : {false, true}) {
      const Tensor targets = Tensor::from(std::vector<int32_t>{3, -100, 0, 10, 3}, {5});
      run({"cross entropy",
           {{5, 7}, transposed ? Shape{7, 11} : Shape{11, 7}},
           [=](const auto& x) {
             return ops::linear_cross_entropy(x[0], ops::Weight(x[1], transposed), {}, targets, smoothing, 2.5).loss;
           },
           [=](const auto& x) {
             return ops::composed::linear_cross_entropy(x[0], ops::Weight(x[1], transposed), targets, smoothing, 2.5);
           }});
    }
  }
}

// Against the weight with one more input, which is 1 for all tokens.
TEST(LinearCrossEntropy, BiasAndItsGradient) {
  const Tensor targets = Tensor::from(std::vector<int32_t>{3, -100, 0, 10, 3}, {5});
  run({"cross entropy with a bias",
       {{5, 7}, {11, 7}, {11}},
       [=](const auto& x) { return ops::linear_cross_entropy(x[0], ops::Weight(x[1]), x[2], targets, 0.1f, 2.5).loss; },
       [=](const auto& x) {
         const Tensor wider = ops::concatenate_columns({x[0], Tensor::full({5, 1}, 1)});
         const Tensor w = ops::concatenate_columns({x[1], x[2].reshape({11, 1})});
         return ops::composed::linear_cross_entropy(wider, ops::Weight(w), targets, 0.1f, 2.5);
       }});
}

// More rows than one chunk of logits holds.
TEST(LinearCrossEntropy, ChunksAddUp) {
  const int64_t tokens = 100, vocab = 60000, model = 4;
  std::vector<int32_t> ids;
  for (int i = 0; i < tokens; ++i) ids.push_back(i * 577 % vocab);
  const Tensor targets = Tensor::from(ids, {tokens});
  Tensor x = testing::random_tensor({tokens, model}, 1).set_requires_grad(true);
  Tensor w = testing::random_tensor({vocab, model}, 2).set_requires_grad(true);
  const auto whole = ops::linear_cross_entropy(x, ops::Weight(w), {}, targets, 0.1f, tokens);
  backward(whole.loss);
  const Tensor dx = x.grad().clone(), dw = w.grad().clone();
  x.body()->grad_written = w.body()->grad_written = false;
  double sum = 0, nll = 0;
  for (int64_t r = 0; r < tokens; r += 10) {
    const auto part =
        ops::linear_cross_entropy(x.slice_rows(r, 10), ops::Weight(w), {}, targets.slice_rows(r, 10), 0.1f, tokens);
    sum += part.loss_sum;
    nll += part.nll_sum;
    backward(part.loss);
  }
  EXPECT_EQ(whole.tokens, tokens);
  EXPECT_NEAR(sum, whole.loss_sum, 1e-3);
  EXPECT_NEAR(nll, whole.nll_sum, 1e-3);
  testing::expect_near(x.grad(), dx, 1e-6, "dx");
  testing::expect_near(w.grad(), dw, 1e-6, "dw");
}

TEST(LinearCrossEntropy, TheSameLossWithoutGradients) {
  const Tensor targets = Tensor::from(std::vector<int32_t>{3, 1, 0}, {3});
  const Tensor x = testing::random_tensor({3, 7}, 1), bias = testing::random_tensor({11}, 3);
  Tensor w = testing::random_tensor({11, 7}, 2).set_requires_grad(true);
  const auto with = ops::linear_cross_entropy(x, ops::Weight(w), bias, targets, 0.1f, 3);
  const NoGrad no_grad;
  const auto without = ops::linear_cross_entropy(x, ops::Weight(w), bias, targets, 0.1f, 3);
  EXPECT_NEAR(with.loss_sum, without.loss_sum, 1e-4);
  EXPECT_NEAR(with.nll_sum, without.nll_sum, 1e-4);
}

TEST(TopK, EqualsASortOfTheLogSoftmax) {
  for (const int64_t vocab : {1, 5, 16, 1000, 8001}) {
    const Tensor logits = testing::random_tensor({6, vocab}, 4);
    logits.data<float>()[vocab - 1] = logits.data<float>()[0];  // a tie
    const int k = static_cast<int>(std::min<int64_t>(10, vocab));
    Tensor values = Tensor::empty({6, k}), indices = Tensor::empty({6, k}, DType::kI32);
    backend().log_softmax_top_k(logits.view(), k, values.view(), indices.view());
    const Tensor log_p = ops::log_softmax(logits);
    for (int r = 0; r < 6; ++r) {
      std::vector<int32_t> order(static_cast<size_t>(vocab));
      for (int i = 0; i < vocab; ++i) order[static_cast<size_t>(i)] = i;
      const float* row = log_p.data<float>() + r * vocab;
      const float* raw = logits.data<float>() + r * vocab;
      std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return raw[a] > raw[b]; });
      for (int i = 0; i < k; ++i) {
        const auto at = static_cast<size_t>(r * k + i);
        EXPECT_EQ(indices.data<int32_t>()[at], order[static_cast<size_t>(i)]);
        EXPECT_NEAR(values.data<float>()[at], row[order[static_cast<size_t>(i)]], 1e-5);
      }
    }
  }
}

}  // namespace
}  // namespace heed
