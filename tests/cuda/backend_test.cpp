// Memory, transfers and the row-wise kernels of a GPU against the CPU's.
#include <dlfcn.h>
#include <gmock/gmock.h>

#include <cstring>
#include <functional>
#include <limits>
#include <numeric>

#include "cuda/gpu_backend.h"
#include "heed/autograd/autograd.h"
#include "heed/decode/candidates.h"
#include "heed/ops/ops.h"

namespace heed {
namespace {

using testing::Both;
using testing::expect_close;
using testing::GpuBackend;
using ::testing::HasSubstr;
using testing::kGpu;
using testing::numbers;

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

TEST_F(GpuBackend, DividesByTheLength) {
  for (const double least : {1e-7, 1e3}) {
    const Both x({50, 33}, 1);
    cpu().divide_by_length(x.cpu.slice_columns(3, 20).view(), least);
    gpu().divide_by_length(x.gpu.slice_columns(3, 20).view(), least);
    expect_close(x, 1e-6, "of a window");
    const double length = std::sqrt(cpu().sum_of_squares(x.cpu.slice_columns(3, 20).view()));
    EXPECT_EQ(std::abs(length - 1) < 1e-5, least < 1) << length;
  }
  const Tensor zero = Tensor::zeros({3, 4}, DType::kF32, kGpu);
  gpu().divide_by_length(zero.view(), 1e-7);
  EXPECT_EQ(zero.to_vector<float>(), std::vector<float>(12, 0.0f));
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
    for (const int k : {1, 2, 3, 30}) {
      if (k > cols) continue;
      const Tensor v = Tensor::empty({3, k}), i = Tensor::empty({3, k}, DType::kI32);
      const Tensor gv = Tensor::empty({3, k}, DType::kF32, kGpu), gi = Tensor::empty({3, k}, DType::kI32, kGpu);
      cpu().log_softmax_top_k(x.cpu.view(), k, v.view(), i.view());
      gpu().log_softmax_top_k(x.gpu.view(), k, gv.view(), gi.view());
      EXPECT_EQ(gi.to_vector<int32_t>(), i.to_vector<int32_t>()) << cols << " " << k;
      expect_close(gv, v, 1e-5, "log-probabilities");
    }
  }
}

TEST_F(GpuBackend, SumsAndFactorsThatStayThere) {
  const Both x({37, 20}, 1), mean({1}, 2);
  const Tensor bits = Tensor::empty({1}, DType::kI64), gpu_bits = bits.to(kGpu);
  cpu().sum_to(x.cpu.view(), 3, bits.view(), mean.cpu.view());
  gpu().sum_to(x.gpu.view(), 3, gpu_bits.view(), mean.gpu.view());
  EXPECT_NEAR(ops::DeviceSum(gpu_bits), ops::DeviceSum(bits), 1e-5);
  EXPECT_NEAR(ops::DeviceSum(bits), cpu().sum(x.cpu.view()), 0);
  expect_close(mean, 1e-6, "quotient");
  gpu().sum_to(x.gpu.view(), 1, gpu_bits.view(), {});
  EXPECT_NEAR(ops::DeviceSum(gpu_bits), ops::DeviceSum(bits), 1e-5);
  const Both factor({1}, 3);
  for (const bool accumulate : {false, true}) {
    const Both y({37, 20}, 4);
    cpu().scale_by(x.cpu.view(), factor.cpu.view(), 7, accumulate, y.cpu.view());
    gpu().scale_by(x.gpu.view(), factor.gpu.view(), 7, accumulate, y.gpu.view());
    expect_close(y, 1e-6, "multiple");
  }
}

// How often the emulation has been waited for; on a GPU nobody counts.
uint64_t (*waits_of_the_emulation())() {
  void* library = ::dlopen(testing::cuda_library().c_str(), RTLD_LAZY | RTLD_NOLOAD);
  return library ? reinterpret_cast<uint64_t (*)()>(::dlsym(library, "heed_emulated_waits")) : nullptr;
}

TEST_F(GpuBackend, ALossAndItsGradientWaitForNothing) {
  const Both x({6, 8}, 1), table({11, 8}, 2);
  const auto waits = waits_of_the_emulation();
  if (!waits) GTEST_SKIP() << "skipped: a GPU does not count how often it is waited for";
  Tensor weight = table.gpu;
  weight.set_requires_grad(true);
  const Tensor targets = Tensor::from(std::vector<int32_t>{3, 10, 0, -100, 7, 7}, {6});
  const uint64_t before = waits();
  const auto result = ops::linear_cross_entropy(x.gpu, ops::Weight(weight), {}, targets, 0.1f, 5);
  backward(result.loss);
  EXPECT_EQ(waits(), before);
  EXPECT_GT(result.loss_sum, 0.0);
  EXPECT_EQ(waits(), before + 1);
  EXPECT_FLOAT_EQ(result.loss.item(), static_cast<float>(result.loss_sum / 5));
  const Tensor ids = Tensor::from(std::vector<int32_t>{1, 2}, {2}, kGpu);
  const auto rows = ops::token_rows(Ragged{{1, 2}, {0, 2}});
  EXPECT_THROW(ops::embedding(ids, weight, 1, rows, {}, {}), Error) << "ids whose gradient is not known";
}

TEST_F(GpuBackend, LossesOfSmallHeadsWaitForNothing) {
  const auto waits = waits_of_the_emulation();
  if (!waits) GTEST_SKIP() << "skipped: a GPU does not count how often it is waited for";
  const Both x({4, 2}, 1);
  const Tensor classes = Tensor::from(std::vector<int32_t>{1, -100, 0, 1}, {4});
  const Tensor weights = Tensor::from(std::vector<float>{1, 2, 0.5f, 3}, {4});
  const Tensor values = Tensor::from(std::vector<float>{0.25f, 0.75f, 1, 0, 0, 0, 0.5f, 2}, {4, 2});
  const std::vector<int32_t> offsets{0, 3, 4}, begins{0, 5}, ends{2, 0};
  const std::vector<std::function<ops::LossResult(const Tensor&)>> losses{
      [&](const Tensor& z) { return ops::cross_entropy(z, classes, 0.1f, 3, weights); },
      [&](const Tensor& z) { return ops::soft_cross_entropy(z, values, 3); },
      [&](const Tensor& z) { return ops::binary_cross_entropy(z, ops::scale(values, 0.5f), 3); },
      [&](const Tensor& z) { return ops::squared_error(z, values, 3); },
      [&](const Tensor& z) { return ops::span_cross_entropy(z, offsets, begins, ends, 3); }};
  for (size_t i = 0; i < losses.size(); ++i) {
    Tensor on_host = x.gpu.to({}), there = on_host.to(kGpu);
    on_host.set_requires_grad(true);
    there.set_requires_grad(true);
    const ops::LossResult expected = losses[i](on_host);
    backward(expected.loss);
    const uint64_t before = waits();
    const ops::LossResult result = losses[i](there);
    backward(result.loss);
    EXPECT_EQ(waits(), before) << i;
    EXPECT_NEAR(result.loss_sum, expected.loss_sum, 1e-5) << i;
    EXPECT_EQ(result.targets, expected.targets) << i;
    const auto found = there.grad().to_vector<float>(), wanted = on_host.grad().to_vector<float>();
    for (size_t k = 0; k < wanted.size(); ++k) EXPECT_NEAR(found[k], wanted[k], 1e-6) << i << " " << k;
  }
}

// Logits stay there until the host looks at a row, and come once.
TEST_F(GpuBackend, RowsOfTheHostComeWhenAskedFor) {
  const auto waits = waits_of_the_emulation();
  if (!waits) GTEST_SKIP() << "skipped: a GPU does not count how often it is waited for";
  const Both x({3, 5}, 1);
  const uint64_t before = waits();
  decode::HostRows rows;
  rows.attach(x.gpu);
  EXPECT_EQ(waits(), before);
  for (int r = 0; r < 3; ++r)
    EXPECT_TRUE(std::ranges::equal(rows.row(r), std::span(x.cpu.view().row<float>(r), 5))) << r;
  EXPECT_EQ(waits(), before + 1);
}

TEST_F(GpuBackend, RowsByTheirNumbers) {
  const Both x({5, 9}, 1), y({7, 6}, 2);
  const std::vector<int32_t> numbers{4, 0, 0, 3, 1, 2, 4};
  cpu().gather_rows(x.cpu.slice_columns(2, 4).view(), Tensor::from(numbers, {7}).view(),
                    y.cpu.slice_columns(1, 4).view());
  gpu().gather_rows(x.gpu.slice_columns(2, 4).view(), Tensor::from(numbers, {7}, kGpu).view(),
                    y.gpu.slice_columns(1, 4).view());
  expect_close(y, 0, "gathered");
  const std::vector<int32_t> lengths{1, 3, 2};
  for (const Device device : {Device(), kGpu}) {
    const Tensor table = Tensor::zeros({3, 3}, DType::kI32, device);
    backend(device).number_last(Tensor::from(lengths, {3}, device).view(), 10, table.view());
    EXPECT_EQ(table.to_vector<int32_t>(), (std::vector<int32_t>{10, 0, 0, 0, 0, 11, 0, 12, 0}));
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

TEST_F(GpuBackend, EmbeddingBackwardAddsAllRowsOfAnId) {
  constexpr int64_t kRows = 700, kModel = 200;
  std::vector<int32_t> ids(kRows);
  Random random(4);
  for (int32_t& id : ids) id = random.below(2) == 0 ? 2 : static_cast<int32_t>(random.below(50));
  for (const float rate : {0.0f, 0.3f}) {
    const Both dy({kRows, kModel}, 1), table({50, kModel}, 2);
    const Dropout dropout{rate, 5, 6, nullptr, nullptr};
    cpu().embedding_backward(ids, dy.cpu.view(), 1.5f, dropout, 7, table.cpu.view());
    gpu().embedding_backward(ids, dy.gpu.view(), 1.5f, dropout, 7, table.gpu.view());
    expect_close(table, 1e-5, "table");
  }
}

TEST_F(GpuBackend, AdamIsTheCpusStep) {
  constexpr int64_t kCount = 30000;
  const Both w({kCount}, 1), g({kCount}, 2), m({kCount}, 3);
  const Both v({kCount}, 4);
  cpu().multiply(v.cpu.view(), v.cpu.view(), false, v.cpu.view());
  gpu().multiply(v.gpu.view(), v.gpu.view(), false, v.gpu.view());
  // Runs that meet, gaps between others, a run within a tile and one over several.
  const std::vector<AdamRun> runs{{3, 5}, {5, 700, 0.5f, false}, {702, 703}, {4000, 21000, 2}, {21000, kCount - 1}};
  const AdamParams params{0.01f, 0.9f, 0.98f, 1e-9f, 0.1f, true, 0.7f, 3};
  const std::vector<float> before = w.cpu.to_vector<float>();
  cpu().adam(w.cpu.view(), g.cpu.view(), m.cpu.view(), v.cpu.view(), runs, params);
  gpu().adam(w.gpu.view(), g.gpu.view(), m.gpu.view(), v.gpu.view(), runs, params);
  const std::vector<float> after = w.cpu.to_vector<float>();
  for (size_t i = 0; i < after.size(); ++i) {
    const auto holds = [&](const AdamRun& run) {
      return std::cmp_less_equal(run.begin, i) && std::cmp_less(i, run.end);
    };
    ASSERT_EQ(after[i] != before[i], std::any_of(runs.begin(), runs.end(), holds)) << i;
  }
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
  const Tensor table = Tensor::from(std::vector<int32_t>{0, 1, 2}, {1, 3}, kGpu);
  const Tensor lengths = Tensor::from(std::vector<int32_t>{3}, {1}, kGpu);
  gpu().attention_cached(q.slice_rows(3, 1).view(), k.view(), k.view(), {table.view(), lengths.view()}, p,
                         y.slice_rows(0, 1).view());
  EXPECT_TRUE(is_nan(y, 0));
  gpu().softmax(q.view(), y.view());
  EXPECT_TRUE(is_nan(y, 3));
  EXPECT_TRUE(std::isnan(gpu().sum_of_squares(q.view())));
}

}  // namespace
}  // namespace heed
