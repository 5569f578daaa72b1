#include <gtest/gtest.h>

#include <cmath>

#include "heed/ops/ops.h"
#include "ops/op_case.h"

namespace heed {
namespace {

using testing::run;

// The definition, in double precision.
Tensor norm_by_definition(const Tensor& x, const Tensor& gamma, const Tensor& beta, NormKind kind, double epsilon) {
  const int64_t rows = x.dim(0), cols = x.dim(1);
  std::vector<float> y(static_cast<size_t>(rows * cols));
  for (int64_t r = 0; r < rows; ++r) {
    const float* v = x.data<float>() + r * cols;
    double mean = 0, square = 0;
    for (int64_t c = 0; c < cols; ++c) mean += v[c] / static_cast<double>(cols);
    if (kind == NormKind::kRms) mean = 0;
    for (int64_t c = 0; c < cols; ++c) square += (v[c] - mean) * (v[c] - mean) / static_cast<double>(cols);
    for (int64_t c = 0; c < cols; ++c)
      y[static_cast<size_t>(r * cols + c)] =
          static_cast<float>((v[c] - mean) / std::sqrt(square + epsilon) * gamma.data<float>()[c] +
                             (beta.defined() ? beta.data<float>()[c] : 0));
  }
  return Tensor::from(y, x.shape());
}

ops::TokenRowsPtr one_sentence(int64_t tokens) {
  Ragged batch;
  batch.append(std::vector<int32_t>(static_cast<size_t>(tokens)));
  return ops::token_rows(batch, {17});
}

TEST(AddNorm, FollowsTheDefinition) {
  for (const int64_t cols : {1, 3, 16, 33, 128, 130}) {
    for (const auto kind : {NormKind::kLayer, NormKind::kRms}) {
      const Tensor x = testing::random_tensor({5, cols}, 1), f = testing::random_tensor({5, cols}, 2);
      const Tensor gamma = testing::random_tensor({cols}, 3);
      const Tensor beta = kind == NormKind::kLayer ? testing::random_tensor({cols}, 4) : Tensor();
      const auto result = ops::add_norm(x, f, {}, {gamma, beta, kind, 1e-3f});
      testing::expect_near(result.sum, ops::add(x, f), 0, "sum");
      testing::expect_near(result.y, norm_by_definition(result.sum, gamma, beta, kind, 1e-3), 1e-5, "norm");
    }
  }
}

TEST(AddNorm, Gradients) {
  for (const auto kind : {NormKind::kLayer, NormKind::kRms}) {
    for (const float rate : {0.0f, 0.4f}) {
      const auto rows = one_sentence(6);
      run({"add_norm",
           {{6, 19}, {6, 19}, {19}, {19}},
           [=](const std::vector<Tensor>& x) {
             const auto site = rate > 0 ? ops::dropout_site(rate, 3, 1, rows) : ops::DropoutSite{};
             const auto r =
                 ops::add_norm(x[0], x[1], site, {x[2], kind == NormKind::kLayer ? x[3] : Tensor(), kind, 1e-3f});
             return ops::add(r.y, ops::scale(r.sum, 0.5f));  // both results are used, as in pre-norm
           },
           {}});
    }
  }
}

TEST(AddNorm, WithoutResidual) {
  run({"norm",
       {{4, 7}, {7}, {7}},
       [](const std::vector<Tensor>& x) {
         return ops::add_norm(x[0], {}, {}, {x[1], x[2], NormKind::kLayer, 1e-3f}).y;
       },
       {}});
}

}  // namespace
}  // namespace heed
