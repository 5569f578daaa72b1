// A GPU's kernels on activations in bf16 against the CPU's in f32: both get the same numbers, all arithmetic is in f32,
// and what differs is that the GPU's results are rounded, by at most 2^-8 of each; sums of rounded numbers by a few
// times that.
#include <string>
#include <vector>

#include "cuda/gpu_backend.h"

namespace heed {
namespace {

using testing::Activations;
using testing::as_type;
using testing::Both;
using testing::expect_close;
using testing::GpuBackend;
using testing::kActivations;
using testing::kGpu;
using testing::numbers;
using testing::Sizes;

constexpr double kRounding = 1.0 / 256;
constexpr int64_t kRows = 19, kCols = 150;
const Dropout kDropout{0.3f, 5, 6, nullptr, nullptr};

// Runs f(backend, member) on both, `member` being which tensor of a pair lies there.
template <class F>
void on_both(const F& f) {
  f(backend(), &Both::cpu);
  f(backend(kGpu), &Both::gpu);
}

// Of one shape all elements are read four at a time, of the other one by one.
class ActivationsOfShape : public GpuBackend, public ::testing::WithParamInterface<int64_t> {};

TEST_P(ActivationsOfShape, ElementByElement) {
  const Shape shape{kRows, GetParam()};
  const Activations a(shape, 1), b(shape, 2);
  for (const bool accumulate : {false, true}) {
    const Activations sum(shape, 3), dropped_sum(shape, 4), product(shape, 5);
    const Activations dropped(shape, 6);
    on_both([&](Backend& on, const Tensor Both::*t) {
      on.add((a.*t).view(), (b.*t).view(), {}, (sum.*t).view());
      on.add((a.*t).view(), (b.*t).view(), kDropout, (dropped_sum.*t).view());
      on.multiply((a.*t).view(), (b.*t).view(), accumulate, (product.*t).view());
      on.dropout((a.*t).view(), kDropout, accumulate, (dropped.*t).view());
    });
    EXPECT_EQ(sum.gpu.dtype(), DType::kBF16);
    expect_close(sum, kRounding, "sum");
    expect_close(dropped_sum, kRounding, "sum with dropout");
    expect_close(product, kRounding, "product");
    expect_close(dropped, kRounding, "dropout");
    for (const Activation kind : kActivations) {
      const Activations y(shape, 7), dx(shape, 8);
      on_both([&](Backend& on, const Tensor Both::*t) {
        on.activation((a.*t).view(), kind, (y.*t).view());
        on.activation_backward((a.*t).view(), (b.*t).view(), kind, accumulate, (dx.*t).view());
      });
      expect_close(y, kRounding, fmt::format("activation {}", static_cast<int>(kind)));
      expect_close(dx, kRounding, fmt::format("its derivative, {}", static_cast<int>(kind)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Columns, ActivationsOfShape, ::testing::Values(kCols, kCols + 2));

TEST_F(GpuBackend, ScalingConvertsBothWays) {
  for (const bool accumulate : {false, true}) {
    const Activations x({kRows, kCols}, 1), narrow({kRows, kCols}, 2);
    const Both wide({kRows, kCols}, 3), narrowed_from({kRows, kCols}, 4);
    on_both([&](Backend& on, const Tensor Both::*t) {
      on.scale((x.*t).slice_columns(3, 20).view(), 0.3f, accumulate, (wide.*t).slice_columns(1, 20).view());
      on.scale((narrowed_from.*t).view(), 0.3f, accumulate, (narrow.*t).view());
    });
    expect_close(wide, 1e-6, "to f32");
    expect_close(narrow, kRounding, "to bf16");
  }
  for (const int64_t cols : {kCols, kCols + 2}) {
    Activations same({kRows, cols}, 5);
    on_both([&](Backend& on, const Tensor Both::*t) { on.scale((same.*t).view(), -2, true, (same.*t).view()); });
    expect_close(same, 0, "in place: exact");
  }
}

TEST_F(GpuBackend, ActivationsOfTwoKindsAreRefused) {
  const Tensor wide = numbers({3, 4}, 1).to(kGpu), narrow = as_type(wide, DType::kBF16);
  EXPECT_THROW(gpu().add(wide.view(), narrow.view(), {}, narrow.view()), DTypeError);
  EXPECT_THROW(gpu().softmax(narrow.view(), narrow.view()), DTypeError);
  const Tensor w = numbers({4, 4}, 2).to(kGpu);
  EXPECT_THROW(
      gpu().gemm_factor(wide.view(), false, *gpu().pack_factor(w.view(), false, DType::kF32, 3), false, narrow.view()),
      DTypeError);
}

TEST_F(GpuBackend, NormsOfActivationsInBf16) {
  for (const NormKind kind : {NormKind::kLayer, NormKind::kRms})
    for (const bool keeps_sum : {false, true}) {
      const bool layer = kind == NormKind::kLayer;
      const Activations x({kRows, kCols}, 1), f({kRows, kCols}, 2), sum({kRows, kCols}, 3), y({kRows, kCols}, 4);
      const Activations dy({kRows, kCols}, 5), dsum({kRows, kCols}, 6), dx({kRows, kCols}, 7), df({kRows, kCols}, 8);
      const Both gamma({kCols}, 9), beta({kCols}, 10), statistics({kRows, 2}, 11), dgamma({kCols}, 12),
          dbeta({kCols}, 13);
      on_both([&](Backend& on, const Tensor Both::*t) {
        const TensorView none;
        on.add_norm((x.*t).view(), (f.*t).view(), kDropout, kind, 1e-5f, (gamma.*t).view(),
                    layer ? (beta.*t).view() : none, keeps_sum ? (sum.*t).view() : none, (y.*t).view(),
                    (statistics.*t).view());
        if (!keeps_sum) return;
        on.norm_backward((sum.*t).view(), (statistics.*t).view(), kind, (gamma.*t).view(), (dy.*t).view(),
                         layer ? (dsum.*t).view() : none, kDropout, layer, (dx.*t).view(), !layer, (df.*t).view(),
                         layer, (dgamma.*t).view(), layer ? (dbeta.*t).view() : none);
      });
      expect_close(sum, kRounding, "sum");
      expect_close(y, 4 * kRounding, "y");
      expect_close(statistics, kRounding, "statistics");
      expect_close(dx, 4 * kRounding, "dx");
      expect_close(df, 4 * kRounding, "df");
      expect_close(dgamma, 8 * kRounding, "dgamma");  // sums of what the sum's rounding gives
      expect_close(dbeta, 1e-5, "dbeta");
    }
}

TEST_F(GpuBackend, EmbeddingsInBf16) {
  std::vector<int32_t> ids(kRows), places(kRows);
  for (int32_t i = 0; i < kRows; ++i) {
    ids[static_cast<size_t>(i)] = i * 7 % 5;
    places[static_cast<size_t>(i)] = i % 4;
  }
  const Tensor id = Tensor::from(ids, {kRows}), place = Tensor::from(places, {kRows});
  const Tensor id_gpu = id.to(kGpu), place_gpu = place.to(kGpu);
  const Both table({5, kCols}, 1), positions({4, kCols}, 2), dtable({5, kCols}, 3);
  const Activations hidden({5, kCols}, 4), dhidden({5, kCols}, 5), y({kRows, kCols}, 6), gathered({kRows, kCols}, 7);
  const Activations dy({kRows, kCols}, 8);
  on_both([&](Backend& on, const Tensor Both::*t) {
    const bool here = t == &Both::cpu;
    const TensorView at = (here ? id : id_gpu).view(), where = (here ? place : place_gpu).view();
    on.embedding(at, (table.*t).view(), 1.5f, where, (positions.*t).view(), kDropout, (y.*t).view());
    on.embedding(at, (hidden.*t).view(), 1, {}, {}, {}, (gathered.*t).view());  // rows of other activations
    on.embedding_backward(ids, (dy.*t).view(), 1.5f, kDropout, 2, (dtable.*t).view());
    on.embedding_backward(ids, (dy.*t).view(), 1, {}, -1, (dhidden.*t).view());
  });
  expect_close(y, kRounding, "y");
  expect_close(gathered, 0, "rows are copied");
  expect_close(dtable, 1e-5, "a table's gradient is f32");
  expect_close(dhidden, kRounding, "that of activations is rounded once");
}

// An id with more rows than are added at once.
TEST_F(GpuBackend, LongSumsOfEmbeddingsInBf16) {
  constexpr int64_t kMany = 600;
  std::vector<int32_t> ids(kMany, 1);
  ids[7] = ids[300] = 0;
  const Activations dy({kMany, kCols}, 1), dhidden({2, kCols}, 2);
  const Both dtable({2, kCols}, 3);
  on_both([&](Backend& on, const Tensor Both::*t) {
    on.embedding_backward(ids, (dy.*t).view(), 0.5f, {}, -1, (dtable.*t).view());
    on.embedding_backward(ids, (dy.*t).view(), 0.5f, {}, -1, (dhidden.*t).view());
  });
  expect_close(dtable, 1e-5, "a table's gradient");
  expect_close(dhidden, kRounding, "that of activations is rounded once");
}

TEST_F(GpuBackend, RotationsSumsAndLossesInBf16) {
  const int64_t heads = 3, dim = 50;
  const Activations x({kRows, heads * dim}, 1), y({kRows, heads * dim}, 2), dlogits({kRows, kCols}, 3);
  const Activations back({kRows, heads * dim}, 9);
  const Both angles({7, dim}, 4), sums({kCols}, 5), logits({kRows, kCols}, 6), losses({kRows}, 7), nll({kRows}, 8);
  std::vector<int32_t> places(kRows), classes(kRows);
  for (int32_t i = 0; i < kRows; ++i) {
    places[static_cast<size_t>(i)] = i % 7;
    classes[static_cast<size_t>(i)] = i % 3 == 0 ? -100 : i;
  }
  const Tensor place = Tensor::from(places, {kRows}), target = Tensor::from(classes, {kRows});
  const Tensor place_gpu = place.to(kGpu), target_gpu = target.to(kGpu);
  on_both([&](Backend& on, const Tensor Both::*t) {
    const bool here = t == &Both::cpu;
    on.rope((x.*t).view(), (here ? place : place_gpu).view(), (angles.*t).view(), false, false, (y.*t).view());
    on.rope((x.*t).view(), (here ? place : place_gpu).view(), (angles.*t).view(), true, true, (back.*t).view());
    on.column_sum((x.*t).view(), true, (sums.*t).view());
    on.cross_entropy((logits.*t).view(), (here ? target : target_gpu).view(), 0.1f, (losses.*t).view(), (nll.*t).view(),
                     (dlogits.*t).view());
  });
  expect_close(y, kRounding, "rotations");
  expect_close(back, kRounding, "rotations back, added");
  expect_close(sums, 1e-5, "sums of columns");
  expect_close(losses, 2e-5, "losses");
  expect_close(nll, 2e-5, "losses without smoothing");
  expect_close(dlogits, kRounding, "their gradient");
}

constexpr Sizes kSizes[] = {{1, 1, 1}, {7, 5, 3}, {33, 65, 17}, {64, 64, 64}, {130, 72, 48}};

TEST_F(GpuBackend, LinearInBf16) {
  for (const auto& [m, n, k] : kSizes)
    for (const Activation act : kActivations)
      for (const float rate : {0.0f, 0.3f})
        for (const bool accumulate : {false, true}) {
          const Activations x({m, k}, 1), y({m, n}, 4), z({m, n}, 5), dy({m, n}, 6), dx({m, k}, 7);
          const Both w(testing::rounded(numbers({n, k}, 2))), bias(testing::rounded(numbers({n}, 3)));
          const Both dw({n, k}, 8), db({n}, 9);
          const Dropout dropout{rate, 7, 3, nullptr, nullptr};
          const bool keeps = derivative_needs_input(act);
          on_both([&](Backend& on, const Tensor Both::*t) {
            on.linear((x.*t).view(), *on.pack_factor((w.*t).view(), true, DType::kBF16, (x.*t).dim(0)),
                      (bias.*t).view(), act, dropout, keeps ? (z.*t).view() : TensorView(), (y.*t).view());
          });
          const std::string what = fmt::format("{} x {} x {}, activation {}", m, n, k, static_cast<int>(act));
          expect_close(z, 2 * kRounding, "what the activation got of " + what);
          expect_close(y, 4 * kRounding, "y of " + what);
          // The backward from the same numbers, or ReLU may pass on in one and not in the other.
          const Activations kept(keeps ? z.cpu : y.cpu);
          on_both([&](Backend& on, const Tensor Both::*t) {
            on.linear_backward((x.*t).view(), (w.*t).view(), false, DType::kBF16, act, dropout, (kept.*t).view(),
                               (dy.*t).view(), accumulate, (dx.*t).view(), !accumulate, (dw.*t).view(), accumulate,
                               (db.*t).view());
          });
          // dz is rounded on the GPU; a sum over it may cancel where the errors do not.
          const double tolerance = 4 * kRounding * std::sqrt(static_cast<double>(std::max(m, n)));
          expect_close(dx, tolerance, "dx of " + what);
          expect_close(dw, tolerance, "dw of " + what);
          expect_close(db, tolerance, "dbias of " + what);
        }
}

TEST_F(GpuBackend, ProductsOfWindowsInBf16) {
  const Activations a({20, 51}, 1), c({20, 41}, 3);
  const Both b(testing::rounded(numbers({30, 25}, 2)));
  on_both([&](Backend& on, const Tensor Both::*t) {
    const auto factor = on.pack_factor((b.*t).view(), false, DType::kBF16, 20);
    on.gemm_factor((a.*t).slice_columns(7, 30).view(), false, *factor, true, (c.*t).slice_columns(5, 25).view());
  });
  expect_close(c, 2 * kRounding, "windows");
}

}  // namespace
}  // namespace heed
