// A GPU's backend against the CPU's, kernel by kernel. Without HEED_CUDA_LIBRARY the kernels run emulated (emulation/);
// with it, on the GPU, if there is one.
//
// What operations call is covered by all their cases too (tests/ops/op_case.h with HEED_TEST_DEVICE=cuda); here stand
// the kernels by themselves, with what no operation asks of them: windows, accumulation, batches of other sizes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <numeric>

#include "heed/base/random.h"
#include "heed/core/backend.h"
#include "heed/tensor/backends.h"
#include "heed/tensor/tensor.h"

namespace heed {
namespace {

using ::testing::HasSubstr;

constexpr Device kGpu{DeviceType::kCuda, 0};

class GpuBackend : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ::setenv("HEED_CUDA_LIBRARY", HEED_EMULATED_CUDA, 0); }
  void SetUp() override {
    const CudaDevices found = cuda_devices();
    if (found.devices.empty()) GTEST_SKIP() << "skipped: no GPU: " << found.why_none;
  }
  static Backend& gpu() { return backend(kGpu); }
  static Backend& cpu() { return backend(); }
};

Tensor numbers(Shape shape, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  for (float& v : values) v = static_cast<float>(random.normal());
  return Tensor::from(values, shape);
}

// The same numbers on both devices.
struct Both {
  Tensor cpu, gpu;
  explicit Both(const Tensor& x) : cpu(x.clone()), gpu(x.to(kGpu)) {}
  Both(Shape shape, uint64_t seed) : Both(numbers(shape, seed)) {}
};

void expect_close(const Tensor& gpu, const Tensor& cpu, double tolerance, const std::string& what) {
  const auto a = gpu.to_vector<float>(), e = cpu.to_vector<float>();
  ASSERT_EQ(a.size(), e.size()) << what;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(e[i]) && std::isnan(a[i])) continue;
    if (e[i] == a[i]) continue;
    const double error = std::abs(static_cast<double>(a[i]) - e[i]) / (1 + std::abs(static_cast<double>(e[i])));
    ASSERT_LE(error, tolerance) << what << ": element " << i << " is " << a[i] << ", expected " << e[i];
  }
}
void expect_close(const Both& both, double tolerance, const std::string& what) {
  expect_close(both.gpu, both.cpu, tolerance, what);
}

TEST_F(GpuBackend, MemoryIsCountedAndComesBack) {
  const size_t before = gpu().bytes_in_use();
  {
    const Tensor x = Tensor::empty({1000, 1000}, DType::kF32, kGpu);
    EXPECT_GE(gpu().bytes_in_use(), before + 4000000);
    EXPECT_LE(gpu().bytes_in_use(), before + 4500000);
  }
  EXPECT_EQ(gpu().bytes_in_use(), before);
  gpu().release_unused();
  EXPECT_EQ(gpu().bytes_in_use(), before);
  const std::vector<float> values{1, 2, 3};
  EXPECT_EQ(Tensor::from(values, {3}, kGpu).to_vector<float>(), values);
}

TEST_F(GpuBackend, TooMuchMemoryIsAMessage) {
  try {
    const Tensor x = Tensor::empty({int64_t{1} << 42}, DType::kF32, kGpu);
    FAIL() << "16 TiB were had";
  } catch (const MemoryError& error) {
    EXPECT_THAT(error.what(), HasSubstr("out of GPU memory: 16384.00 GiB were wanted"));
    EXPECT_THAT(error.what(), HasSubstr(" are free; in use are "));
  }
}

TEST_F(GpuBackend, LargeTransfersArriveWhole) {
  std::vector<int32_t> values(3 << 20);  // 12 MiB: more than the ring of pinned memory
  std::iota(values.begin(), values.end(), 0);
  EXPECT_EQ(Tensor::from(values, {std::ssize(values)}, kGpu).to_vector<int32_t>(), values);
  for (int round = 0; round < 5; ++round) {  // through the ring's halves
    const std::span<const int32_t> part(values.data() + round, size_t{1} << 19);
    EXPECT_EQ(Tensor::from(part, {std::ssize(part)}, kGpu).to_vector<int32_t>(),
              std::vector<int32_t>(part.begin(), part.end()));
  }
}

TEST_F(GpuBackend, CopiesConvertAsOnTheCpu) {
  const std::vector<float> values{0, 1, -2.5f, 3.75f, 100, -100, 1.0f / 3, 65504, 1e-7f, 12345.678f};
  const Tensor x = Tensor::from(values, {2, 5});
  for (const DType middle : {DType::kF32, DType::kBF16, DType::kF16, DType::kI64, DType::kI32}) {
    const Tensor a = Tensor::empty({2, 5}, middle), a_back = Tensor::empty({2, 5});
    cpu().copy(x.view(), a.view());
    cpu().copy(a.view(), a_back.view());
    const Tensor b = Tensor::empty({2, 5}, middle, kGpu), b_back = Tensor::empty({2, 5}, DType::kF32, kGpu);
    gpu().copy(x.to(kGpu).view(), b.view());
    gpu().copy(b.view(), b_back.view());
    EXPECT_EQ(b_back.to_vector<float>(), a_back.to_vector<float>()) << name_of(middle);
  }
  const std::vector<int64_t> large{(int64_t{1} << 60) + 1, -7};
  const Tensor i = Tensor::from(large, {2}, kGpu), j = Tensor::empty({2}, DType::kI64, kGpu);
  gpu().copy(i.view(), j.view());
  EXPECT_EQ(j.to_vector<int64_t>(), large);
}

TEST_F(GpuBackend, FillsAndCopiesWindows) {
  const Both x({6, 10}, 1);
  for (const auto& [on, t] : {std::pair<Backend*, Tensor>{&cpu(), x.cpu}, {&gpu(), x.gpu}}) {
    on->fill(t.slice_columns(2, 3).view(), 7);
    on->copy(t.slice_columns(0, 2).view(), t.slice_columns(8, 2).view());
    on->fill(t.slice_rows(0, 0).view(), 9);  // nothing
  }
  expect_close(x, 0, "windows");
  for (const DType dtype : {DType::kBF16, DType::kF16, DType::kI64, DType::kI32, DType::kI8, DType::kU8}) {
    const Tensor a = Tensor::full({3}, 5, dtype), b = Tensor::full({3}, 5, dtype, kGpu);
    std::vector<std::byte> bytes(3 * size_of(dtype));
    gpu().to_host(b.view().data, bytes.size(), bytes.data());
    EXPECT_EQ(std::memcmp(bytes.data(), a.view().data, bytes.size()), 0) << name_of(dtype);
  }
}

struct Sizes {
  int64_t m, n, k;
};
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

constexpr Activation kActivations[] = {Activation::kNone,     Activation::kRelu, Activation::kGelu,
                                       Activation::kGeluTanh, Activation::kSilu, Activation::kTanh};

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
            const Both x({m, k}, 1), w(transposed ? Shape{k, n} : Shape{n, k}, 2), bias({n}, 3), y({m, n}, 4);
            const Dropout dropout{rate, 7, 3, nullptr, nullptr};
            const auto run = [&](Backend& on, const Tensor Both::*t) {
              on.linear((x.*t).view(), *on.pack_factor((w.*t).view(), !transposed, dtype, m),
                        transposed ? TensorView() : (bias.*t).view(), act, dropout, (y.*t).view());
            };
            run(cpu(), &Both::cpu);
            run(gpu(), &Both::gpu);
            expect_close(y, 5e-5, fmt::format("linear {} x {} x {}, activation {}", m, n, k, static_cast<int>(act)));
          }
}

TEST_F(GpuBackend, LinearOverNothingIsTheBias) {
  const Both x({3, 0}, 1), w({5, 0}, 2), bias({5}, 3), y({3, 5}, 4);
  for (const DType dtype : kProductTypes) {
    const auto run = [&](Backend& on, const Tensor Both::*t) {
      on.linear((x.*t).view(), *on.pack_factor((w.*t).view(), true, dtype, 3), (bias.*t).view(), Activation::kRelu, {},
                (y.*t).view());
    };
    run(cpu(), &Both::cpu);
    run(gpu(), &Both::gpu);
    expect_close(y, 0, "bias");
  }
}

TEST_F(GpuBackend, LinearBackward) {
  for (const auto& [m, n, k] : kSizes)
    for (const DType dtype : kProductTypes)
      for (const Activation act : {Activation::kNone, Activation::kRelu})
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
              expect_close(dx, 1e-4, "dx " + what);
              expect_close(dw, 1e-4, "dw " + what);
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
        return on.linear(in.view(), *factor, {}, Activation::kNone, {}, out.view());
      }
      on.linear_packed(in.view(), *on.pack(w.view(), transposed), {}, Activation::kNone, out.view());
    };
    one_way(x.*t, false, y.*t);
    one_way(turned_x.*t, true, turned_y.*t);
  };
  for (const bool prepared : {false, true}) {
    run(cpu(), wide, &Both::cpu, prepared);
    run(gpu(), narrow_gpu, &Both::gpu, prepared);
    expect_close(y, 2e-5, "y");
    expect_close(turned_y, 2e-5, "turned y");
  }
  const Tensor ids = Tensor::from(std::vector<int32_t>{3, 12, 0}, {3}),
               places = Tensor::from(std::vector{2, 1, 5}, {3});
  const Both e({3, kIn}, 6);
  cpu().embedding(ids.view(), wide.view(), 3, places.view(), wide.view(), {}, e.cpu.view());
  gpu().embedding(ids.to(kGpu).view(), narrow_gpu.view(), 3, places.to(kGpu).view(), narrow_gpu.view(), {},
                  e.gpu.view());
  expect_close(e, 1e-6, "embedding");
  const Tensor half = Tensor::zeros({kOut, kIn}, DType::kF16, kGpu);
  EXPECT_THROW(gpu().embedding(ids.to(kGpu).view(), half.view(), 1, {}, {}, {}, e.gpu.view()), DTypeError);
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

TEST_F(GpuBackend, SumsAndColumnSums) {
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{1, 1}, {3, 70}, {200, 33}, {5000, 3}, {0, 4}}) {
    const Both x({rows, cols}, 1), y({cols}, 2);
    EXPECT_NEAR(gpu().sum(x.gpu.view()), cpu().sum(x.cpu.view()), 1e-3);
    EXPECT_NEAR(gpu().sum_of_squares(x.gpu.view()), cpu().sum_of_squares(x.cpu.view()), 1e-2);
    for (const bool accumulate : {false, true}) {
      cpu().column_sum(x.cpu.view(), accumulate, y.cpu.view());
      gpu().column_sum(x.gpu.view(), accumulate, y.gpu.view());
      expect_close(y, 5e-5, fmt::format("column sums of {} x {}", rows, cols));
    }
    if (cols < 3) continue;
    EXPECT_NEAR(gpu().sum(x.gpu.slice_columns(1, 2).view()), cpu().sum(x.cpu.slice_columns(1, 2).view()), 1e-3);
  }
}

TEST_F(GpuBackend, SoftmaxAndLosses) {
  for (const int64_t cols : {1, 5, 100, 1000, 3001}) {
    const int64_t rows = 4;
    const Both x({rows, cols}, 1), y({rows, cols}, 2), dy({rows, cols}, 3), dx({rows, cols}, 4);
    const Both losses({rows}, 5), nll({rows}, 6), dlogits({rows, cols}, 7);
    const Tensor targets = Tensor::from(std::vector<int32_t>{0, -100, static_cast<int32_t>(cols - 1), 0}, {rows});
    const Tensor targets_gpu = targets.to(kGpu);
    const auto run = [&](Backend& on, const Tensor Both::*t, const Tensor& wanted) {
      on.softmax((x.*t).view(), (y.*t).view());
      on.softmax_backward((y.*t).view(), (dy.*t).view(), true, (dx.*t).view());
      on.copy((x.*t).view(), (dlogits.*t).view());
      on.cross_entropy((dlogits.*t).view(), wanted.view(), 0.1f, (losses.*t).view(), (nll.*t).view(),
                       (dlogits.*t).view());  // in place
      on.log_softmax((x.*t).view(), (x.*t).view());
    };
    run(cpu(), &Both::cpu, targets);
    run(gpu(), &Both::gpu, targets_gpu);
    expect_close(y, 1e-6, "softmax");
    expect_close(dx, 1e-5, "its backward");
    expect_close(losses, 2e-5, "losses");
    expect_close(nll, 2e-5, "losses without smoothing");
    expect_close(dlogits, 1e-6, "their gradient");
    expect_close(x, 1e-5, "log-softmax");
  }
}

TEST_F(GpuBackend, TopKWithTiesAndInfinities) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const int64_t cols : {3, 40, 700}) {
    Both x({3, cols}, 1);
    std::vector<float> values = x.cpu.to_vector<float>();
    for (size_t i = 0; i < values.size(); i += 2) values[i] = std::round(values[i]);
    for (int64_t c = 0; c + 1 < cols; ++c) values[static_cast<size_t>(2 * cols + c)] = -infinity;
    x = Both(Tensor::from(values, {3, cols}));
    for (const int k : {1, 2, 3}) {
      const Tensor v = Tensor::empty({3, k}), i = Tensor::empty({3, k}, DType::kI32);
      const Tensor gv = Tensor::empty({3, k}, DType::kF32, kGpu), gi = Tensor::empty({3, k}, DType::kI32, kGpu);
      cpu().log_softmax_top_k(x.cpu.view(), k, v.view(), i.view());
      gpu().log_softmax_top_k(x.gpu.view(), k, gv.view(), gi.view());
      EXPECT_EQ(gi.to_vector<int32_t>(), i.to_vector<int32_t>()) << cols << " " << k;
      expect_close(gv, v, 1e-5, "log-probabilities");
    }
  }
}

TEST_F(GpuBackend, Transposes) {
  for (const auto& [a, b] : {std::pair<int64_t, int64_t>{1, 1}, {3, 70}, {64, 64}, {100, 33}}) {
    const Both x({a, b + 2}, 1), y({b, a}, 2);
    cpu().transpose(x.cpu.slice_columns(1, b).view(), y.cpu.view());
    gpu().transpose(x.gpu.slice_columns(1, b).view(), y.gpu.view());
    expect_close(y, 0, "matrix");
    const Both u({a, b, 5}, 3), v({b, a, 5}, 4);
    cpu().transpose(u.cpu.view(), v.cpu.view());
    gpu().transpose(u.gpu.view(), v.gpu.view());
    expect_close(v, 0, "first two dimensions");
  }
}

TEST_F(GpuBackend, EmbeddingBackwardAddsInOrder) {
  constexpr int64_t kRows = 700, kModel = 200;
  std::vector<int32_t> ids(kRows);
  Random random(4);
  for (int32_t& id : ids) id = random.below(3) == 0 ? 2 : static_cast<int32_t>(random.below(50));
  const Tensor id = Tensor::from(ids, {kRows}), id_gpu = id.to(kGpu);
  for (const float rate : {0.0f, 0.3f}) {
    const Both dy({kRows, kModel}, 1), table({50, kModel}, 2);
    const Dropout dropout{rate, 5, 6, nullptr, nullptr};
    cpu().embedding_backward(id.view(), dy.cpu.view(), 1.5f, dropout, 7, table.cpu.view());
    gpu().embedding_backward(id_gpu.view(), dy.gpu.view(), 1.5f, dropout, 7, table.gpu.view());
    expect_close(table, 1e-5, "table");
  }
}

TEST_F(GpuBackend, AdamIsTheCpusStep) {
  const Both w({1000}, 1), g({1000}, 2), m({1000}, 3);
  Both v({1000}, 4);
  cpu().multiply(v.cpu.view(), v.cpu.view(), false, v.cpu.view());
  gpu().multiply(v.gpu.view(), v.gpu.view(), false, v.gpu.view());
  const AdamParams params{0.01f, 0.9f, 0.98f, 1e-9f, 0.1f, true, 0.7f, 3};
  cpu().adam(w.cpu.view(), g.cpu.view(), m.cpu.view(), v.cpu.view(), params);
  gpu().adam(w.gpu.view(), g.gpu.view(), m.gpu.view(), v.gpu.view(), params);
  expect_close(w, 1e-6, "weights");
  expect_close(m, 1e-6, "first moments");
  expect_close(v, 1e-6, "second moments");
}

TEST_F(GpuBackend, NormsOfWideAndNarrowRows) {
  for (const int64_t cols : {1, 7, 128, 700, 4500})
    for (const NormKind kind : {NormKind::kLayer, NormKind::kRms})
      for (const float rate : {0.0f, 0.3f}) {
        const int64_t rows = 37;
        const bool layer = kind == NormKind::kLayer;
        const Both x({rows, cols}, 1), f({rows, cols}, 2), gamma({cols}, 3), beta({cols}, 4), y({rows, cols}, 5);
        const Both sum({rows, cols}, 6), statistics({rows, 2}, 7), dy({rows, cols}, 8), dsum({rows, cols}, 9);
        const Both dx({rows, cols}, 10), df({rows, cols}, 11), dgamma({cols}, 12), dbeta({cols}, 13);
        const Dropout dropout{rate, 3, 4, nullptr, nullptr};
        const auto run = [&](Backend& on, const Tensor Both::*t) {
          const TensorView none;
          on.add_norm((x.*t).view(), (f.*t).view(), dropout, kind, 1e-5f, (gamma.*t).view(),
                      layer ? (beta.*t).view() : none, (sum.*t).view(), (y.*t).view(), (statistics.*t).view());
          on.norm_backward((sum.*t).view(), (statistics.*t).view(), kind, (gamma.*t).view(), (dy.*t).view(),
                           layer ? (dsum.*t).view() : none, dropout, layer, (dx.*t).view(), !layer, (df.*t).view(),
                           layer, (dgamma.*t).view(), layer ? (dbeta.*t).view() : none);
        };
        run(cpu(), &Both::cpu);
        run(gpu(), &Both::gpu);
        const std::string what = fmt::format(" of {} columns", cols);
        // One column alone: its deviation is a rounding error.
        const double tolerance = cols == 1 && layer ? 1e-2 : 5e-5;
        expect_close(sum, 1e-6, "sum" + what);
        expect_close(y, tolerance, "y" + what);
        expect_close(statistics, tolerance, "statistics" + what);
        expect_close(dx, 10 * tolerance, "dx" + what);
        expect_close(df, 10 * tolerance, "df" + what);
        expect_close(dgamma, 10 * tolerance, "dgamma" + what);
        expect_close(dbeta, 5e-5, "dbeta" + what);
      }
}

struct AttentionCase {
  std::vector<Segment> segments;
  int heads, kv_heads, head_dim;
  bool causal;
  float dropout;
  int64_t reach;  // of a bias; 0: none
};

void check_attention(const AttentionCase& c) {
  int32_t tokens_q = 0, tokens_k = 0;
  for (const Segment& s : c.segments) {
    tokens_q = std::max(tokens_q, s.q_begin + s.q_len);
    tokens_k = std::max(tokens_k, s.k_begin + s.k_len);
  }
  const int64_t cols = int64_t{c.heads} * c.head_dim, kv_cols = int64_t{c.kv_heads} * c.head_dim;
  const int64_t table_rows = 2 * c.reach + 1;
  const Both q({tokens_q, cols}, 1), k({tokens_k, kv_cols}, 2), v({tokens_k, kv_cols}, 3), dy({tokens_q, cols}, 4);
  const Both y({tokens_q, cols}, 5), lse({tokens_q, c.heads}, 6), bias({table_rows, c.heads}, 7);
  const Both dbias({std::ssize(c.segments), table_rows * c.heads}, 8);
  AttentionParams p{c.heads, c.kv_heads, c.head_dim, 0.3f, c.causal, {c.dropout, 5, 40, nullptr, nullptr}};
  for (const bool accumulate : {false, true}) {
    const Both dq({tokens_q, cols}, 9), dk({tokens_k, kv_cols}, 10), dv({tokens_k, kv_cols}, 11);
    const auto run = [&](Device device, const Tensor Both::*t) {
      const TensorView none;
      if (c.reach > 0) p.bias.table = (bias.*t).view();
      Backend& on = backend(device);
      on.attention((q.*t).view(), (k.*t).view(), (v.*t).view(), c.segments, p, (y.*t).view(), (lse.*t).view());
      on.attention_backward((q.*t).view(), (k.*t).view(), (v.*t).view(), (y.*t).view(), (lse.*t).view(), (dy.*t).view(),
                            c.segments, p, accumulate, (dq.*t).view(), (dk.*t).view(), (dv.*t).view(),
                            c.reach > 0 ? (dbias.*t).view() : none);
    };
    run({}, &Both::cpu);
    run(kGpu, &Both::gpu);
    const std::string what =
        fmt::format(" of {}x{} heads of {}{}", c.heads, c.kv_heads, c.head_dim, c.causal ? " causal" : "");
    expect_close(y, 2e-5, "y" + what);
    expect_close(lse, 2e-5, "lse" + what);
    expect_close(dq, 5e-5, "dq" + what);
    expect_close(dk, 5e-5, "dk" + what);
    expect_close(dv, 5e-5, "dv" + what);
    if (c.reach > 0) expect_close(dbias, 1e-4, "dbias" + what);
  }
}

TEST_F(GpuBackend, AttentionForwardAndBackward) {
  check_attention({{{0, 1, 0, 1, 0, 0}}, 1, 1, 1, false, 0, 0});
  check_attention({{{0, 70, 0, 33, 0, 0}, {70, 5, 33, 40, 0, 9}}, 2, 1, 16, false, 0, 0});
  check_attention({{{0, 100, 0, 100, 0, 0}}, 2, 2, 64, true, 0, 0});
  check_attention({{{0, 40, 0, 40, 0, 3}}, 1, 1, 128, true, 0.2f, 0});
  check_attention({{{0, 33, 0, 33, 0, 0}, {33, 31, 33, 31, 0, 1}}, 4, 2, 5, true, 0.3f, 0});
  check_attention({{{0, 10, 0, 75, 65, 2}}, 2, 2, 96, true, 0.3f, 0});  // continues a sequence, in the midst of a block
  check_attention({{{0, 7, 0, 50, 43, 2}, {7, 20, 50, 20, 3, 4}}, 2, 2, 8, true, 0.3f, 6});
  check_attention({{{0, 66, 0, 90, 0, 0}, {66, 3, 90, 5, 0, 0}}, 3, 3, 20, false, 0, 10});
  check_attention({{{0, 66, 0, 66, 0, 0}}, 2, 1, 32, true, 0, 200});  // reaches farther than any distance
  check_attention({{{0, 5, 0, 3, 0, 0}, {5, 3, 5, 3, 0, 1}}, 2, 2, 4, false, 0, 0});  // keys 3 and 4 belong to nobody
}

TEST_F(GpuBackend, AttentionOverACache) {
  for (const auto& [heads, kv_heads, dim, reach] :
       {std::array<int, 4>{2, 2, 8, 0}, {4, 2, 64, 0}, {3, 1, 5, 6}, {2, 2, 128, 3}}) {
    constexpr int64_t kRows = 4, kStride = 37, kCached = 50;
    const Both q({kRows, int64_t{heads} * dim}, 1), k({kCached, int64_t{kv_heads} * dim}, 2);
    const Both v({kCached, int64_t{kv_heads} * dim}, 3), y({kRows, int64_t{heads} * dim}, 4);
    const Both bias({2 * int64_t{reach} + 1, heads}, 5);
    std::vector<int32_t> table(kRows * kStride);
    Random random(1);
    for (int32_t& slot : table) slot = static_cast<int32_t>(random.below(kCached));
    const std::vector<int32_t> lengths{1, 37, 0, 20};
    AttentionParams p{heads, kv_heads, dim, 0.2f, true, {}};
    if (reach > 0) p.bias.table = bias.cpu.view();
    cpu().attention_cached(q.cpu.view(), k.cpu.view(), v.cpu.view(), table, kStride, lengths, p, y.cpu.view());
    if (reach > 0) p.bias.table = bias.gpu.view();
    gpu().attention_cached(q.gpu.view(), k.gpu.view(), v.gpu.view(), table, kStride, lengths, p, y.gpu.view());
    expect_close(y, 1e-5, fmt::format("{} heads of {}", heads, dim));
    const Tensor alone = Tensor::empty({1, int64_t{heads} * dim}, DType::kF32, kGpu);
    gpu().attention_cached(q.gpu.slice_rows(1, 1).view(), k.gpu.view(), v.gpu.view(),
                           std::span(table).subspan(kStride, kStride), kStride, std::span(lengths).subspan(1, 1), p,
                           alone.view());
    EXPECT_EQ(alone.to_vector<float>(), y.gpu.slice_rows(1, 1).to_vector<float>());
  }
}

// A training that loses its numbers must see it.
TEST_F(GpuBackend, NanStaysNan) {
  constexpr int kTokens = 40, kCols = 8;
  Tensor x = numbers({kTokens, kCols}, 1);
  x.data<float>()[3 * kCols] = std::numeric_limits<float>::quiet_NaN();
  const Tensor q = x.to(kGpu), k = numbers({kTokens, kCols}, 2).to(kGpu),
               y = Tensor::empty(q.shape(), DType::kF32, kGpu);
  const AttentionParams p{1, 1, kCols, 1, true, {}};
  const Segment segment{0, kTokens, 0, kTokens, 0, 0};
  const auto is_nan = [&](const Tensor& t, int64_t row) {
    return std::isnan(t.slice_rows(row, 1).to_vector<float>()[1]);
  };
  gpu().attention(q.view(), k.view(), k.view(), {&segment, 1}, p, y.view(), {});
  EXPECT_TRUE(is_nan(y, 3));
  EXPECT_FALSE(is_nan(y, 2));
  const std::vector<int32_t> table{0, 1, 2}, lengths{3};
  gpu().attention_cached(q.slice_rows(3, 1).view(), k.view(), k.view(), table, 3, lengths, p,
                         y.slice_rows(0, 1).view());
  EXPECT_TRUE(is_nan(y, 0));
  gpu().softmax(q.view(), y.view());
  EXPECT_TRUE(is_nan(y, 3));
  EXPECT_TRUE(std::isnan(gpu().sum_of_squares(q.view())));
}

TEST_F(GpuBackend, ProbabilitiesOfAttention) {
  const Both q({6, 8}, 1), k({9, 8}, 2), p({6, 9}, 3), bias({5, 2}, 4);
  AttentionParams params{2, 2, 4, 0.5f, true, {}};
  const Segment segment{0, 6, 0, 9, 2, 0};
  params.bias.table = bias.cpu.view();
  cpu().attention_probabilities(q.cpu.view(), k.cpu.view(), segment, 1, params, p.cpu.view());
  params.bias.table = bias.gpu.view();
  gpu().attention_probabilities(q.gpu.view(), k.gpu.view(), segment, 1, params, p.gpu.view());
  expect_close(p, 1e-6, "probabilities");
}

}  // namespace
}  // namespace heed
