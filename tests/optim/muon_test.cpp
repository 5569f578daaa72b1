#include "heed/optim/muon.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "heed/base/random.h"
#include "heed/tensor/tensor.h"

namespace heed::optim {
namespace {

Tensor random_matrix(int64_t rows, int64_t cols, uint64_t seed) {
  Random random(seed);
  Tensor x = Tensor::empty({rows, cols});
  for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = static_cast<float>(random.normal());
  return x;
}

// |u^T x| and |x v| of random unit vectors lie between the least and the largest singular value.
std::pair<double, double> range_of_lengths(const Tensor& x) {
  const int64_t rows = x.dim(0), cols = x.dim(1);
  const bool tall = rows > cols;
  Random random(3);
  double least = 1e9, most = 0;
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<double> u(static_cast<size_t>(tall ? cols : rows));
    double length = 0;
    for (double& value : u) {
      value = random.normal();
      length += value * value;
    }
    double sum = 0;
    for (int64_t j = 0; j < (tall ? rows : cols); ++j) {
      double product = 0;
      for (size_t i = 0; i < u.size(); ++i) {
        const auto k = static_cast<int64_t>(i);
        product += u[i] * static_cast<double>(x.data<float>()[tall ? j * cols + k : k * cols + j]);
      }
      sum += product * product;
    }
    least = std::min(least, std::sqrt(sum / length));
    most = std::max(most, std::sqrt(sum / length));
  }
  return {least, most};
}

TEST(Orthogonalise, AllDirectionsBecomeAlikeInLength) {
  for (const DType product : {DType::kF32, DType::kBF16})
    for (const auto& [rows, cols] : {std::pair{40, 40}, {16, 200}, {200, 16}, {1, 7}, {7, 1}}) {
      const Tensor x = random_matrix(rows, cols, 11);
      for (int64_t i = 0; i < cols; ++i) x.data<float>()[i] *= 30;  // one row is far longer
      orthogonalise({}, x.view(), product);
      const auto [least, most] = range_of_lengths(x);
      EXPECT_GT(least, 0.6) << rows << " x " << cols << " " << name_of(product);
      EXPECT_LT(most, 1.25) << rows << " x " << cols << " " << name_of(product);
    }
}

TEST(Orthogonalise, LengthDoesNotMatterAndDirectionDoes) {
  const Tensor x = random_matrix(5, 8, 4), longer = x.clone(), opposite = x.clone();
  for (int64_t i = 0; i < x.numel(); ++i) {
    longer.data<float>()[i] *= 4096;
    opposite.data<float>()[i] *= -1;
  }
  for (const Tensor& matrix : {x, longer, opposite}) orthogonalise({}, matrix.view());
  for (int64_t i = 0; i < x.numel(); ++i) {
    EXPECT_NEAR(longer.data<float>()[i], x.data<float>()[i], 1e-6);
    EXPECT_NEAR(opposite.data<float>()[i], -x.data<float>()[i], 1e-6);
  }
}

TEST(Orthogonalise, ZeroStaysZero) {
  const Tensor x = Tensor::zeros({3, 4});
  orthogonalise({}, x.view());
  for (const float value : x.to_vector<float>()) EXPECT_EQ(value, 0);
}

// torch.optim.Muon(lr=0.1, weight_decay=0.5, momentum=0.9, adjust_lr_fn="match_rms_adamw") of torch 2.15, its products
// in f32 in place of bf16, from w[i] = sin(i) and gradients cos(3 i + 5 step).
TEST(Muon, StepsAsTorch) {
  const Tensor w = Tensor::empty({2, 3}), dw = Tensor::empty({2, 3}), m = Tensor::zeros({2, 3});
  for (int i = 0; i < 6; ++i) w.data<float>()[i] = std::sin(static_cast<float>(i));
  for (int step = 0; step < 3; ++step) {
    for (int i = 0; i < 6; ++i) dw.data<float>()[i] = 2 * std::cos(static_cast<float>(3 * i + 5 * step));
    muon({}, w.view(), dw.view(), m.view(), {0.1f, 0.9f, 0.5f, 0.5f});
  }
  const std::vector<float> expected = {-0.02356519f, 0.74028701f, 0.76588917f, 0.14349093f, -0.64191991f, -0.85840416f};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(w.data<float>()[i], expected[i], 2e-6) << i;
}

}  // namespace
}  // namespace heed::optim
