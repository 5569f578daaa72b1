// Products with factors in tiles, rounded to bf16 or in f32 cut into three parts, on each set of instructions that the
// machine has, against plain products of the (rounded) factors: those are the same but for the order of the sums.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

#include "heed/base/threads.h"
#include "heed/cpu/bf16_kernels.h"
#include "heed/cpu/packed_matrix.h"
#include "heed/ops/ops.h"
#include "heed/tensor/backends.h"
#include "ops/op_case.h"

namespace heed {
namespace {

using cpu::bf16::Kernels;
using testing::expect_near;
using testing::random_tensor;

struct Instructions {
  DType dtype;
  const Kernels* kernels;
};

std::string name_of(const Instructions& on) {
  const std::string_view name = on.kernels->name;
  return (on.dtype == DType::kF32 ? "F32" : "") + (name.empty() ? "Emulated" : std::string(name));
}
void PrintTo(const Instructions& on, std::ostream* out) { *out << name_of(on); }

Tensor rounded(const Tensor& x) {
  const Tensor y = x.clone();
  for (int64_t i = 0; i < y.numel(); ++i) y.data<float>()[i] = static_cast<float>(BFloat16(y.data<float>()[i]));
  return y;
}

Tensor transposed(const Tensor& x) {
  const Tensor y = Tensor::empty({x.dim(1), x.dim(0)});
  backend().transpose(x.view(), y.view());
  return y;
}

Tensor identity(int64_t n) {
  const Tensor y = Tensor::zeros({n, n});
  for (int64_t i = 0; i < n; ++i) y.data<float>()[i * n + i] = 1;
  return y;
}

// In a process of its own, as instructions are chosen once. A panel is as wide as two vectors.
TEST(Instructions, AreHeldToWhatIsAskedFor) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto vector_lanes = [] {
    const auto packed = backend().pack(random_tensor({4, 4}, 1).view(), false);
    return static_cast<const cpu::PanelMatrix&>(*packed).width() / 2;
  };
  const auto look_at_avx2 = [&] {
    const auto before = vector_lanes();
    cpu::bf16::supported_kernels(DType::kF32);
    std::exit(before <= 8 && vector_lanes() <= 8 && cpu_instructions() != "AVX3" ? 0 : 1);
  };
  const auto look_for_amx = [] {
    int found = 0;
    for (const DType dtype : {DType::kF32, DType::kBF16})
      for (const Kernels* kernels : cpu::bf16::supported_kernels(dtype)) found += kernels->name == "AMX" ? 1 : 0;
    std::exit(found);
  };
  const char* const given = std::getenv("HEED_SIMD");
  const std::string before = given ? given : "";
  setenv("HEED_SIMD", "avx2", 1);
  EXPECT_EXIT(look_at_avx2(), ::testing::ExitedWithCode(0), "");
  setenv("HEED_SIMD", "avx512", 1);
  EXPECT_EXIT(look_for_amx(), ::testing::ExitedWithCode(0), "");
  setenv("HEED_SIMD", before.c_str(), 1);
}

class Tiles : public ::testing::TestWithParam<Instructions> {
 protected:
  void SetUp() override { cpu::bf16::use_kernels(dtype(), GetParam().kernels); }
  void TearDown() override {
    cpu::bf16::use_kernels(dtype(), nullptr);
    set_thread_count(0);
  }
  static DType dtype() { return GetParam().dtype; }
  // As factors of this type are.
  static Tensor as_factor(const Tensor& x) { return dtype() == DType::kBF16 ? rounded(x) : x; }
  // c = op(a) op(b) (+ c), the factors given as they are multiplied.
  static Tensor product(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b,
                        const Tensor& add_to = {}) {
    const Tensor left = transpose_a ? transposed(a) : a, right = transpose_b ? transposed(b) : b;
    const Tensor c = add_to.defined() ? add_to.clone() : Tensor::empty({a.dim(0), b.dim(1)});
    const auto factor = backend().pack_factor(right.view(), transpose_b, dtype(), kManyRows);
    backend().gemm_factor(left.view(), transpose_a, *factor, add_to.defined(), c.view());
    return c;
  }

  static constexpr int64_t kManyRows = 1000;  // so that tiles are worth it
};
class Bf16 : public Tiles {};
class F32Parts : public Tiles {};

struct Sizes {
  int64_t m, n, k;
};
constexpr Sizes kSizes[] = {{1, 1, 1},    {7, 5, 3},     {32, 32, 32},  {33, 31, 65},    {16, 48, 17},
                            {100, 17, 1}, {5, 600, 530}, {600, 5, 513}, {300, 130, 129}, {40, 700, 1030}};

TEST_P(Tiles, ProductsMatchPlainOnes) {
  const double tolerance = dtype() == DType::kF32 ? 1e-4 : 5e-5;  // six times as many numbers are summed
  for (const auto& [m, n, k] : kSizes) {
    const Tensor a = random_tensor({m, k}, 1), b = random_tensor({k, n}, 2), c = random_tensor({m, n}, 3);
    const Tensor expected = Tensor::empty({m, n}), sum = c.clone();
    backend().gemm(as_factor(a).view(), false, as_factor(b).view(), false, 1, false, expected.view());
    backend().gemm(as_factor(a).view(), false, as_factor(b).view(), false, 1, true, sum.view());
    for (const int threads : {1, 3}) {
      set_thread_count(threads);
      for (const bool ta : {false, true})
        for (const bool tb : {false, true}) {
          const std::string what = fmt::format("{} x {} x {}, {}{}, {} threads", m, n, k, ta, tb, threads);
          expect_near(product(a, ta, b, tb), expected, tolerance, what);
          expect_near(product(a, ta, b, tb, c), sum, tolerance, what + ", added");
          EXPECT_EQ(product(a, ta, b, tb).to_vector<float>(), product(a, false, b, false).to_vector<float>()) << what;
        }
    }
  }
}

TEST_P(Tiles, HoldNumbersExactlyOrRoundedToNearestEven) {
  const float one_up = 1 + std::ldexp(1.0f, -7);
  std::vector<float> values = {0,
                               -0.0f,
                               1,
                               1 + std::ldexp(1.0f, -8),       // a tie: down to 1
                               one_up + std::ldexp(1.0f, -8),  // a tie: up
                               1 + std::ldexp(1.1f, -8),
                               -1 - std::ldexp(1.1f, -8),
                               3e38f,
                               1e-30f,
                               std::ldexp(1.0f, -126)};
  const Tensor noise = random_tensor({54}, 5);
  for (const float v : noise.to_vector<float>()) values.push_back(v);
  const Tensor x = Tensor::from(values, {2, 32});
  const auto expected = as_factor(x).to_vector<float>();
  EXPECT_EQ(product(x, false, identity(32), false).to_vector<float>(), expected);
  EXPECT_EQ(product(x, true, identity(32), true).to_vector<float>(), expected);
  EXPECT_EQ(product(identity(2), false, x, false).to_vector<float>(), expected);
  EXPECT_EQ(product(identity(2), true, x, true).to_vector<float>(), expected);
}

TEST_P(Tiles, WhatIsNotFiniteStaysInItsRow) {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    const Tensor a = Tensor::full({40, 40}, 1), b = Tensor::full({40, 40}, 1);
    a.data<float>()[33 * 40 + 39] = bad;
    const auto c = product(a, false, b, false).to_vector<float>();
    for (size_t i = 0; i < c.size(); ++i) {
      const bool finite = i / 40 != 33;
      ASSERT_EQ(std::isfinite(c[i]), finite) << i;
      ASSERT_TRUE(!finite || c[i] == 40) << i;
    }
  }
}

TEST_P(Tiles, NothingIsReadOrWrittenBesideTheMatrices) {
  // Columns 3 to 36 of wider matrices, the rest of which is NaN or must stay as it is.
  const Tensor wide = Tensor::full({40, 60}, std::numeric_limits<double>::quiet_NaN());
  const Tensor x = random_tensor({40, 34}, 1), w = random_tensor({34, 34}, 2);
  backend().copy(x.view(), wide.slice_columns(3, 34).view());
  const Tensor y = Tensor::full({40, 60}, 7);
  const auto factor = backend().pack_factor(w.view(), false, dtype(), kManyRows);
  backend().gemm_factor(wide.slice_columns(3, 34).view(), false, *factor, false, y.slice_columns(3, 34).view());
  EXPECT_EQ(y.slice_columns(3, 34).to_vector<float>(), product(x, false, w, false).to_vector<float>());
  for (int64_t r = 0; r < 40; ++r)
    for (int64_t c = 0; c < 60; ++c) {
      const bool beside = c < 3 || c >= 37;
      ASSERT_TRUE(!beside || y.data<float>()[r * 60 + c] == 7) << r << ", " << c;
    }
}

TEST_P(Tiles, EmptySizes) {
  const Tensor c = random_tensor({3, 4}, 1), none = Tensor::empty({3, 0}), nothing = Tensor::empty({0, 4});
  EXPECT_EQ(product(none, false, nothing, false).to_vector<float>(), std::vector<float>(12));
  EXPECT_EQ(product(none, false, nothing, false, c).to_vector<float>(), c.to_vector<float>());
  EXPECT_EQ(product(nothing, false, random_tensor({4, 5}, 1), false).numel(), 0);
}

// Result and gradients of linear for given inputs, summed twice; gradients of the result are of bf16.
struct LinearResult {
  Tensor y, dx, dw, dbias;
};

struct LinearCase {
  Sizes sizes;
  Activation kind = Activation::kNone;
  bool transposed = false, bias = true, dropout = false;
};

LinearResult linear(const LinearCase& c, DType product) {
  const auto& [m, n, k] = c.sizes;
  Tensor x = rounded(random_tensor({m, k}, 1)).set_requires_grad(true);
  Tensor w = rounded(random_tensor(c.transposed ? Shape{k, n} : Shape{n, k}, 2)).set_requires_grad(true);
  Tensor bias = random_tensor({n}, 3).set_requires_grad(true);
  w.body()->product = product;
  ops::DropoutSite site;
  if (c.dropout) {
    Ragged batch;
    batch.append(std::vector<int32_t>(static_cast<size_t>(m)));
    site = ops::dropout_site(0.5f, 5, 2, ops::token_rows(batch, {4}));
  }
  LinearResult result;
  for (int i = 0; i < 2; ++i) {  // the second time the gradients are added
    result.y = ops::linear(x, ops::Weight(w, c.transposed), c.bias ? bias : Tensor(), c.kind, site);
    backward(ops::sum(ops::multiply(result.y, rounded(random_tensor({m, n}, 7)))));
  }
  result.dx = x.grad();
  result.dw = w.grad();
  if (c.bias) result.dbias = bias.grad();
  return result;
}

// Half of the numbers are 2^-8 to 2^8 times as large as the others; errors relative to the sum of the products' sizes.
TEST_P(F32Parts, AreAsExactAsSgemm) {
  const int64_t m = 64, n = 48, k = 1500;
  std::mt19937 random(3);
  const auto factor = [&](Shape shape, uint64_t seed) {
    const Tensor x = random_tensor(shape, seed);
    for (int64_t i = 0; i < x.numel(); i += 2)
      x.data<float>()[i] *= std::ldexp(1.0f, static_cast<int>(random() % 17) - 8);
    return x;
  };
  const Tensor a = factor({m, k}, 1), b = factor({k, n}, 2), plain = Tensor::empty({m, n});
  backend().gemm(a.view(), false, b.view(), false, 1, false, plain.view());
  const Tensor parts = product(a, false, b, false);
  double of_plain = 0, of_parts = 0;
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0, size = 0;
      for (int64_t l = 0; l < k; ++l) {
        const double term = double{a.data<float>()[i * k + l]} * b.data<float>()[l * n + j];
        sum += term;
        size += std::abs(term);
      }
      of_plain = std::max(of_plain, std::abs(plain.data<float>()[i * n + j] - sum) / size);
      of_parts = std::max(of_parts, std::abs(parts.data<float>()[i * n + j] - sum) / size);
    }
  // The emulation adds its parts one by one: six times as many roundings.
  EXPECT_LT(of_parts, (GetParam().kernels->name.empty() ? 3 : 2) * of_plain);
  EXPECT_LT(of_parts, std::ldexp(1.0, -20));
}

// Factors that bf16 holds exactly, dz among them (ReLU and a dropout of one half keep it so): nothing is left but the
// sums' order.
TEST_P(Bf16, LinearAndItsGradientsMatchF32) {
  std::vector<LinearCase> cases;
  for (const Sizes& sizes : kSizes)
    for (const bool transposed : {false, true}) cases.push_back({sizes, Activation::kRelu, transposed, true, true});
  cases.push_back({{300, 33, 65}, Activation::kNone, false, false, false});
  cases.push_back({{300, 33, 65}, Activation::kNone, true, true, true});
  cases.push_back({{1600, 12, 9}, Activation::kRelu, false, true, false});
  for (const LinearCase& c : cases) {
    const std::string what = fmt::format("linear {} x {} x {}", c.sizes.m, c.sizes.n, c.sizes.k);
    const LinearResult expected = linear(c, DType::kF32), actual = linear(c, DType::kBF16);
    // The sums' order may decide whether an output near 0 is cut off: its gradient would differ, so there are none.
    expect_near(actual.y, expected.y, 1e-4, what);
    expect_near(actual.dx, expected.dx, 1e-4, what + " dx");
    expect_near(actual.dw, expected.dw, 1e-4, what + " dw");
    if (c.bias) expect_near(actual.dbias, expected.dbias, 1e-4, what + " dbias");
  }
}

TEST_P(Bf16, OtherActivationsAreCloseToF32) {
  for (const auto kind : {Activation::kGelu, Activation::kSilu}) {
    const LinearCase c{{70, 40, 50}, kind};
    const LinearResult expected = linear(c, DType::kF32), actual = linear(c, DType::kBF16);
    expect_near(actual.y, expected.y, 1e-4, "y");
    expect_near(actual.dx, expected.dx, 6e-2, "dx");
    expect_near(actual.dw, expected.dw, 6e-2, "dw");
  }
}

TEST_P(Tiles, TheSameBitsForEveryThreadCount) {
  const LinearCase c{{700, 130, 70}, Activation::kRelu, false, true, true};
  set_thread_count(1);
  const LinearResult one = linear(c, dtype());
  for (const int threads : {1, 2, 4}) {
    set_thread_count(threads);
    const LinearResult more = linear(c, dtype());
    EXPECT_EQ(more.y.to_vector<float>(), one.y.to_vector<float>());
    EXPECT_EQ(more.dx.to_vector<float>(), one.dx.to_vector<float>());
    EXPECT_EQ(more.dw.to_vector<float>(), one.dw.to_vector<float>());
    expect_near(more.dbias, one.dbias, 1e-5, "dbias");
  }
}

TEST_P(Bf16, WithoutGradientsNothingIsRounded) {
  const NoGrad no_grad;
  const Tensor x = random_tensor({9, 40}, 1), master = random_tensor({12, 40}, 2);
  const auto f32 = ops::linear(x, ops::Weight(master)).to_vector<float>();
  master.body()->product = DType::kBF16;
  EXPECT_EQ(ops::linear(x, ops::Weight(master)).to_vector<float>(), f32);
}

// With more rows than one chunk of logits holds.
TEST_P(Bf16, LossOverTheVocabulary) {
  for (const bool turned : {false, true}) {
    for (const auto& [tokens, vocab] : {std::pair<int64_t, int64_t>{37, 101}, {70, 60000}}) {
      std::vector<int32_t> ids;
      for (int32_t i = 0; i < tokens; ++i) ids.push_back(i % 5 == 0 ? -100 : i * 577 % static_cast<int32_t>(vocab));
      const Tensor targets = Tensor::from(ids, {tokens});
      Tensor x = rounded(random_tensor({tokens, 24}, 1)).set_requires_grad(true);
      Tensor w = rounded(random_tensor(turned ? Shape{24, vocab} : Shape{vocab, 24}, 2)).set_requires_grad(true);
      const auto loss = [&](DType product) {
        w.body()->product = product;
        x.body()->grad_written = w.body()->grad_written = false;
        const auto result = ops::linear_cross_entropy(x, ops::Weight(w, turned), {}, targets, 0.1f, 3);
        backward(result.loss);
        return result.loss.item();
      };
      const float expected = loss(DType::kF32);
      const Tensor dx = x.grad().clone(), dw = w.grad().clone();
      EXPECT_NEAR(loss(DType::kBF16), expected, 1e-5 * expected);
      // The probabilities are rounded: by 2^-9 of each at most.
      expect_near(x.grad(), dx, 4e-3, "dx");
      expect_near(w.grad(), dw, 4e-3, "dw");
      EXPECT_NE(w.grad().to_vector<float>(), dw.to_vector<float>());
    }
  }
}

std::vector<Instructions> instructions(std::initializer_list<DType> dtypes) {
  std::vector<Instructions> all;
  for (const DType dtype : dtypes)
    for (const Kernels* kernels : cpu::bf16::supported_kernels(dtype)) all.push_back({dtype, kernels});
  return all;
}

std::string name_of_parameter(const ::testing::TestParamInfo<Instructions>& info) { return name_of(info.param); }
INSTANTIATE_TEST_SUITE_P(On, Tiles, ::testing::ValuesIn(instructions({DType::kBF16, DType::kF32})), name_of_parameter);
INSTANTIATE_TEST_SUITE_P(On, Bf16, ::testing::ValuesIn(instructions({DType::kBF16})), name_of_parameter);
INSTANTIATE_TEST_SUITE_P(On, F32Parts, ::testing::ValuesIn(instructions({DType::kF32})), name_of_parameter);

}  // namespace
}  // namespace heed
