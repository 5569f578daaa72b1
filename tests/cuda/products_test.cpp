// Matrix products on a GPU against the CPU's.
#include <string>
#include <vector>

#include "cuda/gpu_backend.h"

namespace heed {
namespace {

using testing::Both;
using testing::expect_close;
using testing::GpuBackend;
using testing::kActivations;
using testing::kGpu;
using testing::numbers;
using testing::Sizes;

constexpr Sizes kSizes[] = {{1, 1, 1}, {7, 5, 3}, {33, 65, 17}, {64, 64, 64}, {130, 70, 45}, {3, 200, 129}};

TEST_F(GpuBackend, ProductsInAllTranspositions) {
  for (const auto& [m, n, k] : kSizes)
    for (const bool ta : {false, true})
      for (const bool tb : {false, true})
        for (const bool accumulate : {false, true}) {
          const Both a(ta ? Shape{k, m} : Shape{m, k}, 1), b(tb ? Shape{n, k} : Shape{k, n}, 2), c({m, n}, 3);
          cpu().gemm(a.cpu.view(), ta, b.cpu.view(), tb, 0.5f, accumulate, c.cpu.view());
          gpu().gemm(a.gpu.view(), ta, b.gpu.view(), tb, 0.5f, accumulate, c.gpu.view());
          expect_close(c, 2e-5, fmt::format("{} x {} x {}, {}{}{}", m, n, k, ta, tb, accumulate));
        }
}

TEST_F(GpuBackend, ProductsOverNothing) {
  const Both a({3, 0}, 1), b({0, 4}, 2), c({3, 4}, 3);
  gpu().gemm(a.gpu.view(), false, b.gpu.view(), false, 1, true, c.gpu.view());
  expect_close(c, 0, "nothing is added");
  gpu().gemm(a.gpu.view(), false, b.gpu.view(), false, 1, false, c.gpu.view());
  EXPECT_EQ(c.gpu.to_vector<float>(), std::vector<float>(12, 0.0f));
}

TEST_F(GpuBackend, ProductsOfWindows) {
  const Both a({20, 50}, 1), b({60, 30}, 2), c({20, 40}, 3);
  const auto run = [](Backend& on, const Tensor& x, const Tensor& y, const Tensor& z) {
    on.gemm(x.slice_columns(7, 30).view(), false, y.slice_rows(3, 30).slice_columns(1, 25).view(), false, 1, false,
            z.slice_columns(5, 25).view());
  };
  run(cpu(), a.cpu, b.cpu, c.cpu);
  run(gpu(), a.gpu, b.gpu, c.gpu);
  expect_close(c, 2e-5, "windows");
}

constexpr DType kProductTypes[] = {DType::kF32, DType::kBF16};

TEST_F(GpuBackend, ProductsWithAPreparedFactor) {
  for (const auto& [m, n, k] : kSizes)
    for (const DType dtype : kProductTypes)
      for (const bool ta : {false, true})
        for (const bool tb : {false, true})
          for (const bool accumulate : {false, true}) {
            const Both a(ta ? Shape{k, m} : Shape{m, k}, 1), b(tb ? Shape{n, k} : Shape{k, n}, 2), c({m, n}, 3);
            const auto run = [&](Backend& on, const Tensor Both::*t) {
              const auto factor = on.pack_factor((b.*t).view(), tb, dtype, m);
              EXPECT_EQ(factor->in_features(), k);
              EXPECT_EQ(factor->out_features(), n);
              on.gemm_factor((a.*t).view(), ta, *factor, accumulate, (c.*t).view());
            };
            run(cpu(), &Both::cpu);
            run(gpu(), &Both::gpu);
            expect_close(c, 5e-5, fmt::format("{} {} x {} x {}, {}{}{}", name_of(dtype), m, n, k, ta, tb, accumulate));
          }
}

TEST_F(GpuBackend, LinearWithBiasActivationAndDropout) {
  for (const auto& [m, n, k] : kSizes)
    for (const DType dtype : kProductTypes)
      for (const Activation act : kActivations)
        for (const float rate : {0.0f, 0.3f})
          for (const bool transposed : {false, true}) {
            const Both x({m, k}, 1), w(transposed ? Shape{k, n} : Shape{n, k}, 2), bias({n}, 3), y({m, n}, 4),
                z({m, n}, 5);
            const Dropout dropout{rate, 7, 3, nullptr, nullptr};
            const auto run = [&](Backend& on, const Tensor Both::*t) {
              on.linear((x.*t).view(), *on.pack_factor((w.*t).view(), !transposed, dtype, m),
                        transposed ? TensorView() : (bias.*t).view(), act, dropout,
                        derivative_needs_input(act) ? (z.*t).view() : TensorView(), (y.*t).view());
            };
            run(cpu(), &Both::cpu);
            run(gpu(), &Both::gpu);
            expect_close(z, 5e-5, "what the activation got");
            expect_close(y, 5e-5, fmt::format("linear {} x {} x {}, activation {}", m, n, k, static_cast<int>(act)));
          }
}

TEST_F(GpuBackend, LinearOverNothingIsTheBias) {
  const Both x({3, 0}, 1), w({5, 0}, 2), bias({5}, 3), y({3, 5}, 4);
  for (const DType dtype : kProductTypes) {
    const auto run = [&](Backend& on, const Tensor Both::*t) {
      on.linear((x.*t).view(), *on.pack_factor((w.*t).view(), true, dtype, 3), (bias.*t).view(), Activation::kRelu, {},
                {}, (y.*t).view());
    };
    run(cpu(), &Both::cpu);
    run(gpu(), &Both::gpu);
    expect_close(y, 0, "bias");
  }
}

TEST_F(GpuBackend, LinearBackward) {
  for (const auto& [m, n, k] : kSizes)
    for (const DType dtype : kProductTypes)
      for (const Activation act : kActivations)
        for (const float rate : {0.0f, 0.3f})
          for (const bool transposed : {false, true})
            for (const bool accumulate : {false, true}) {
              const Both x({m, k}, 1), w(transposed ? Shape{k, n} : Shape{n, k}, 2), y({m, n}, 4), dy({m, n}, 5);
              const Both dx({m, k}, 6), dw(w.cpu.shape(), 7), db({n}, 8);
              const Dropout dropout{rate, 7, 3, nullptr, nullptr};
              const auto run = [&](Backend& on, const Tensor Both::*t) {
                on.linear_backward((x.*t).view(), (w.*t).view(), transposed, dtype, act, dropout, (y.*t).view(),
                                   (dy.*t).view(), accumulate, (dx.*t).view(), !accumulate, (dw.*t).view(), accumulate,
                                   (db.*t).view());
              };
              run(cpu(), &Both::cpu);
              run(gpu(), &Both::gpu);
              const std::string what = fmt::format("{} {} x {} x {}", name_of(dtype), m, n, k);
              // A derivative that differs in its last bit may be rounded to the next bf16 number.
              const double tolerance = dtype == DType::kBF16 && derivative_needs_input(act) ? 2e-2 : 1e-4;
              expect_close(dx, tolerance, "dx " + what);
              expect_close(dw, tolerance, "dw " + what);
              expect_close(db, 5e-5, "dbias " + what);
            }
}

// Weights that lie in bf16 are what their numbers are in f32.
TEST_F(GpuBackend, WeightsInBf16) {
  constexpr int64_t kRows = 9, kIn = 21, kOut = 13;
  const Tensor narrow = Tensor::empty({kOut, kIn}, DType::kBF16), wide = Tensor::empty({kOut, kIn});
  cpu().copy(numbers({kOut, kIn}, 1).view(), narrow.view());
  cpu().copy(narrow.view(), wide.view());
  const Tensor narrow_gpu = narrow.to(kGpu);
  const Both x({kRows, kIn}, 2), turned_x({kRows, kOut}, 3), y({kRows, kOut}, 4), turned_y({kRows, kIn}, 5);
  const auto run = [&](Backend& on, const Tensor& w, const Tensor Both::*t, bool prepared) {
    const auto one_way = [&](const Tensor& in, bool transposed, const Tensor& out) {
      if (prepared) {
        const auto factor = on.pack_factor(w.view(), !transposed, DType::kF32, kRows);
        return on.linear(in.view(), *factor, {}, Activation::kNone, {}, {}, out.view());
      }
      on.linear_packed(in.view(), *on.pack(w.view(), transposed), {}, Activation::kNone, out.view());
    };
    one_way(x.*t, false, y.*t);
    one_way(turned_x.*t, true, turned_y.*t);
  };
  for (const bool prepared : {false, true}) {
    run(cpu(), wide, &Both::cpu, prepared);
    run(gpu(), narrow_gpu, &Both::gpu, prepared);
    const double tolerance = prepared ? 2e-5 : 1e-1;  // packed, what they multiply is rounded
    expect_close(y, tolerance, "y");
    expect_close(turned_y, tolerance, "turned y");
  }
  const Tensor ids = Tensor::from(std::vector<int32_t>{3, 12, 0}, {3}),
               places = Tensor::from(std::vector{2, 1, 5}, {3});
  const Both e({3, kIn}, 6);
  cpu().embedding(ids.view(), wide.view(), 3, places.view(), wide.view(), {}, e.cpu.view());
  gpu().embedding(ids.to(kGpu).view(), narrow_gpu.view(), 3, places.to(kGpu).view(), narrow_gpu.view(), {},
                  e.gpu.view());
  expect_close(e, 1e-6, "embedding");
  const Tensor whole = Tensor::zeros({kOut, kIn}, DType::kI8, kGpu);
  EXPECT_THROW(gpu().embedding(ids.to(kGpu).view(), whole.view(), 1, {}, {}, {}, e.gpu.view()), DTypeError);
}

// Matrices in bf16 and f16: what they are multiplied by is rounded, too; sums and results are f32.
class NarrowProducts : public GpuBackend, public ::testing::WithParamInterface<DType> {};

TEST_P(NarrowProducts, OfPackedMatrices) {
  const DType dtype = GetParam();
  std::vector<Sizes> all(std::begin(kSizes), std::end(kSizes));
  all.push_back({2100, 1024, 16});  // enough for large tiles
  for (const auto& [m, n, k] : all)
    for (const bool transposed : {false, true}) {
      if (m > 1000 && transposed) continue;
      for (const Activation act : {Activation::kRelu, Activation::kSilu}) {
        const Both x(testing::rounded(numbers({m, k}, 1), dtype)), bias({n}, 3), y({m, n}, 4);
        const Tensor w = testing::rounded(numbers(transposed ? Shape{k, n} : Shape{n, k}, 2), dtype);
        const auto packed = gpu().pack(testing::as_type(w, dtype).to(kGpu).view(), transposed);
        EXPECT_EQ(packed->out_features(), n);
        EXPECT_EQ(packed->in_features(), k);
        cpu().linear_packed(x.cpu.view(), *cpu().pack(w.view(), transposed), bias.cpu.view(), act, y.cpu.view());
        gpu().linear_packed(x.gpu.view(), *packed, bias.gpu.view(), act, y.gpu.view());
        expect_close(y, 2e-5, fmt::format("packed {} x {} x {}", m, n, k));
        const Tensor alone = Tensor::empty({1, n}, DType::kF32, kGpu);
        gpu().linear_packed(x.gpu.slice_rows(m - 1, 1).view(), *packed, bias.gpu.view(), act, alone.view());
        EXPECT_EQ(alone.to_vector<float>(), y.gpu.slice_rows(m - 1, 1).to_vector<float>());
        const Both rows({2, k}, 5);
        const Tensor ids = Tensor::from(std::vector{static_cast<int32_t>(n) - 1, 0}, {2});
        cpu().packed_rows(*cpu().pack(w.view(), transposed), ids.view(), rows.cpu.view());
        gpu().packed_rows(*packed, ids.to(kGpu).view(), rows.gpu.view());
        expect_close(rows, 0, "rows of a packed weight");
      }
    }
}

INSTANTIATE_TEST_SUITE_P(In, NarrowProducts, ::testing::Values(DType::kBF16, DType::kF16),
                         [](const auto& tested) { return std::string(name_of(tested.param)); });

// What f16 cannot hold becomes its largest number on the way into a product, NaN stays.
TEST_F(GpuBackend, NumbersBeyondF16AreItsLargest) {
  const Tensor w = testing::as_type(Tensor::full({1, 2}, 0.5), DType::kF16).to(kGpu);
  const Tensor x = Tensor::from(std::vector<float>{1e30f, 0, -1e6f, 1, std::nanf(""), 0}, {3, 2}, kGpu);
  const Tensor y = Tensor::empty({3, 1}, DType::kF32, kGpu);
  gpu().linear_packed(x.view(), *gpu().pack(w.view(), false), {}, Activation::kNone, y.view());
  const std::vector<float> values = y.to_vector<float>();
  EXPECT_EQ(values[0], 32752);
  EXPECT_EQ(values[1], -32751.5f);
  EXPECT_TRUE(std::isnan(values[2]));
}

TEST_F(GpuBackend, EmbeddingsOfAnF16Table) {
  const Tensor exact = testing::rounded(numbers({5, 37}, 1), DType::kF16);
  const Tensor table = testing::as_type(exact, DType::kF16).to(kGpu);
  const Tensor ids = Tensor::from(std::vector<int32_t>{3, 4, 0}, {3});
  const Both e({3, 37}, 2);
  cpu().embedding(ids.view(), exact.view(), 3, {}, {}, {}, e.cpu.view());
  gpu().embedding(ids.to(kGpu).view(), table.view(), 3, {}, {}, {}, e.gpu.view());
  expect_close(e, 1e-6, "embedding");
}

TEST_F(GpuBackend, PackedProductsMatchAndDoNotDependOnTheBatch) {
  for (const auto& [m, n, k] : kSizes)
    for (const bool transposed : {false, true}) {
      const Both x({m, k}, 1), w(transposed ? Shape{k, n} : Shape{n, k}, 2), bias({n}, 3), y({m, n}, 4);
      const auto packed = gpu().pack(w.gpu.view(), transposed);
      EXPECT_EQ(packed->out_features(), n);
      EXPECT_EQ(packed->in_features(), k);
      cpu().linear_packed(x.cpu.view(), *cpu().pack(w.cpu.view(), transposed), bias.cpu.view(), Activation::kGelu,
                          y.cpu.view());
      gpu().linear_packed(x.gpu.view(), *packed, bias.gpu.view(), Activation::kGelu, y.gpu.view());
      expect_close(y, 2e-5, fmt::format("packed {} x {} x {}", m, n, k));
      const Tensor alone = Tensor::empty({1, n}, DType::kF32, kGpu);
      gpu().linear_packed(x.gpu.slice_rows(m - 1, 1).view(), *packed, bias.gpu.view(), Activation::kGelu, alone.view());
      EXPECT_EQ(alone.to_vector<float>(), y.gpu.slice_rows(m - 1, 1).to_vector<float>());
    }
}

TEST_F(GpuBackend, RowsOfAPackedWeightAreItsOwn) {
  const Both w({70, 37}, 1), y({3, 37}, 2);
  const Tensor ids = Tensor::from(std::vector<int32_t>{69, 0, 33}, {3});
  cpu().packed_rows(*cpu().pack(w.cpu.view(), false), ids.view(), y.cpu.view());
  gpu().packed_rows(*gpu().pack(w.gpu.view(), false), ids.to(kGpu).view(), y.gpu.view());
  expect_close(y, 0, "rows");
}

}  // namespace
}  // namespace heed
