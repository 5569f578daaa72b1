#include <gtest/gtest.h>

#include <cmath>

#include "heed/base/random.h"
#include "heed/ops/ops.h"
#include "ops/op_case.h"

namespace heed {
namespace {

using testing::run;

TEST(Elementwise, Gradients) {
  run({"add", {{3, 5}, {3, 5}}, [](const auto& x) { return ops::add(x[0], x[1]); }, {}});
  run({"multiply", {{3, 5}, {3, 5}}, [](const auto& x) { return ops::multiply(x[0], x[1]); }, {}});
  run({"square", {{3, 5}}, [](const auto& x) { return ops::multiply(x[0], x[0]); }, {}});
  run({"scale", {{4, 17}}, [](const auto& x) { return ops::scale(x[0], -2.5f); }, {}});
  run({"softmax", {{4, 21}}, [](const auto& x) { return ops::softmax(x[0]); }, {}});
  run({"matmul", {{4, 6}, {6, 3}}, [](const auto& x) { return ops::matmul(x[0], x[1]); }, {}});
  run({"matmul tn", {{6, 4}, {6, 3}}, [](const auto& x) { return ops::matmul(x[0], x[1], true, false); }, {}});
  run({"matmul nt", {{4, 6}, {3, 6}}, [](const auto& x) { return ops::matmul(x[0], x[1], false, true); }, {}});
  run({"matmul tt", {{6, 4}, {3, 6}}, [](const auto& x) { return ops::matmul(x[0], x[1], true, true); }, {}});
  run({"columns", {{4, 3}, {4, 2}}, [](const auto& x) { return ops::concatenate_columns({x[0], x[1], x[0]}); }, {}});
  run({"rows", {{4, 3}, {2, 3}}, [](const auto& x) { return ops::concatenate_rows({x[0], x[1]}); }, {}});
}

TEST(Elementwise, ActivationsFollowTheirDefinitions) {
  std::vector<float> values;
  for (int i = -60; i <= 60; ++i) values.push_back(static_cast<float>(i) / 8);
  const Tensor x = Tensor::from(values, {1, static_cast<int64_t>(values.size())});
  const auto expect = [&](Activation kind, auto f) {
    const auto y = ops::activation(x, kind).to_vector<float>();
    for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], f(values[i]), 2e-6) << values[i];
  };
  expect(Activation::kRelu, [](double v) { return std::max(v, 0.0); });
  expect(Activation::kSilu, [](double v) { return v / (1 + std::exp(-v)); });
  expect(Activation::kGelu, [](double v) { return v * 0.5 * (1 + std::erf(v / std::sqrt(2.0))); });
  expect(Activation::kGeluTanh,
         [](double v) { return 0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v))); });
  expect(Activation::kTanh, [](double v) { return std::tanh(v); });
  for (const auto kind : {Activation::kGelu, Activation::kGeluTanh, Activation::kSilu, Activation::kTanh})
    run({"activation", {{3, 19}}, [=](const auto& t) { return ops::activation(t[0], kind); }, {}});
}

ops::TokenRowsPtr rows_with(std::vector<uint32_t> example, std::vector<int32_t> position) {
  auto rows = std::make_shared<ops::TokenRows>();
  rows->example = std::move(example);
  rows->position = std::move(position);
  return rows;
}

TEST(Dropout, OfASummandIsThatOfTheOperation) {
  const auto site = ops::dropout_site(0.4f, 5, 2, rows_with({1, 1, 2, 6}, {0, 3, 1, 1}));
  run({"add dropped",
       {{4, 150}, {4, 150}},
       [=](const auto& x) { return ops::add(x[0], x[1], site); },
       [=](const auto& x) { return ops::add(x[0], ops::dropout(x[1], site)); }});
}

// The bit of a channel, straight from the generator: the kernels of every instruction set must agree with this.
TEST(Dropout, DrawsByTheDocumentedCounter) {
  const float rate = 0.3f;
  const uint64_t key = 0x123456789ABCDEF;
  const auto rows = rows_with({5, 9}, {2, 7});
  const int64_t cols = 300;
  const auto y = ops::dropout(Tensor::full({2, cols}, 1), ops::dropout_site(rate, key, 77, rows)).to_vector<float>();
  for (int64_t r = 0; r < 2; ++r)
    for (int64_t c = 0; c < cols; ++c) {
      const auto channel = static_cast<uint32_t>(c % 128);
      const PhiloxCounter words = philox<7>(
          {static_cast<uint32_t>(c / 128) * 16 + channel % 16,
           static_cast<uint32_t>(rows->position[static_cast<size_t>(r)]), rows->example[static_cast<size_t>(r)], 77},
          philox_key(key));
      const uint32_t word = words[channel / 16 % 4], bits = channel >= 64 ? word >> 16 : word & 0xFFFF;
      const float expected = bits >= std::lround(rate * 65536) ? 1 / (1 - rate) : 0;
      ASSERT_EQ(y[static_cast<size_t>(r * cols + c)], expected) << "row " << r << ", channel " << c;
    }
}

TEST(Dropout, KeepsTheMeanAndItsGradient) {
  const auto rows = rows_with(std::vector<uint32_t>(200, 1), [] {
    std::vector<int32_t> p(200);
    for (int i = 0; i < 200; ++i) p[static_cast<size_t>(i)] = i;
    return p;
  }());
  const Tensor y = ops::dropout(Tensor::full({200, 512}, 1), ops::dropout_site(0.25f, 1, 2, rows));
  EXPECT_NEAR(ops::sum(y).item() / (200 * 512), 1, 0.01);
  run({"dropout",
       {{200, 3}},
       [=](const auto& x) { return ops::dropout(x[0], ops::dropout_site(0.5f, 1, 2, rows)); },
       {}});
}

}  // namespace
}  // namespace heed
