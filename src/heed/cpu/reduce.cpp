// Sums: over rows (the gradient of a bias), over everything.
//
// The order of additions depends on the sizes alone for column sums of one thread's columns, and on the thread count
// for total sums, which are taken in double precision.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "heed/cpu/reduce.cpp"
#include <hwy/foreach_target.h>  // must come first: it includes this file once per instruction set

#include <bit>
#include <numeric>
#include <vector>

#include "heed/base/threads.h"
#include "heed/cpu/cpu_backend.h"
#include "heed/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {

// Sums of eight vectors of columns over all rows, with eight running sums.
void column_sum(const TensorView& x, bool accumulate, const TensorView& y) {
  const int64_t lanes = lane_count(), cols = x.cols(), rows = x.rows();
  constexpr int64_t kVectors = 8;
  const int64_t block = kVectors * lanes;
  auto* out = y.as<float>();
  parallel_for((cols + block - 1) / block, 1 + (1 << 15) / (rows * block + 1),
               [&](int64_t begin, int64_t end, int) HWY_ATTR {
                 for (int64_t c = begin * block; c < std::min(end * block, cols); c += block) {
                   FloatVec acc[kVectors];
                   for (int64_t v = 0; v < kVectors; ++v) acc[v] = hn::Zero(FloatTag());
                   const int64_t vectors = std::min((cols - c + lanes - 1) / lanes, kVectors);
                   const float* row = x.as<float>() + c;
                   if (vectors == kVectors && cols - c >= block) {
                     for (int64_t r = 0; r < rows; ++r, row += x.row_stride) {
#pragma GCC unroll 8
                       for (int64_t v = 0; v < kVectors; ++v)
                         acc[v] = hn::Add(acc[v], hn::LoadU(FloatTag(), row + v * lanes));
                     }
                   } else {
                     for (int64_t r = 0; r < rows; ++r, row += x.row_stride)
                       for (int64_t v = 0; v < vectors; ++v)
                         acc[v] = hn::Add(acc[v], load(row + v * lanes, cols - c - v * lanes));
                   }
                   for (int64_t v = 0; v < vectors; ++v) {
                     const int64_t left = cols - c - v * lanes;
                     if (accumulate) acc[v] = hn::Add(acc[v], load(out + c + v * lanes, left));
                     store(acc[v], out + c + v * lanes, left);
                   }
                 }
               });
}

// The sum of f(x) over the elements, in double precision: short runs in vectors of floats, the runs in doubles.
template <class F>
HWY_INLINE double total(const TensorView& x, const F& f) {
  const int64_t lanes = lane_count(), rows = x.rows(), cols = x.cols();
  const int64_t longest_run = 64 * lanes;  // so that each lane's sum is as exact whatever their number
  const bool flat = x.contiguous();
  const int64_t units = flat ? rows * cols : rows, unit_cols = flat ? 1 : cols, grain = 1 + (1 << 16) / unit_cols;
  std::vector<double> partial(static_cast<size_t>(part_count(units, grain)));
  parallel_for(units, grain, [&](int64_t begin, int64_t end, int part) HWY_ATTR {
    double sum = 0;
    const auto add_run = [&](const float* p, int64_t n) HWY_ATTR {
      for (int64_t i = 0; i < n; i += longest_run) {
        FloatVec acc = hn::Zero(FloatTag());
        for (int64_t j = i; j < std::min(i + longest_run, n); j += lanes) acc = hn::Add(acc, f(load(p + j, n - j)));
        sum += static_cast<double>(sum_lanes(acc));
      }
    };
    if (flat) add_run(x.as<float>() + begin, end - begin);
    else
      for (int64_t r = begin; r < end; ++r) add_run(x.row<float>(r), cols);
    partial[static_cast<size_t>(part)] = sum;
  });
  return std::accumulate(partial.begin(), partial.end(), 0.0);
}

double sum(const TensorView& x) {
  return total(x, [](FloatVec v) HWY_ATTR { return v; });
}

double sum_of_squares(const TensorView& x) {
  return total(x, [](FloatVec v) HWY_ATTR { return hn::Mul(v, v); });
}

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::cpu {
namespace {
HWY_EXPORT(column_sum);
HWY_EXPORT(sum);
HWY_EXPORT(sum_of_squares);
}  // namespace

void CpuBackend::column_sum(const TensorView& x, bool accumulate, const TensorView& y) {
  HWY_DYNAMIC_DISPATCH(column_sum)(x, accumulate, y);
}
double CpuBackend::sum(const TensorView& x) { return HWY_DYNAMIC_DISPATCH(sum)(x); }
double CpuBackend::sum_of_squares(const TensorView& x) { return HWY_DYNAMIC_DISPATCH(sum_of_squares)(x); }
void CpuBackend::sum_to(const TensorView& x, double divisor, const TensorView& total, const TensorView& quotient) {
  const double value = sum(x);
  *total.as<int64_t>() = std::bit_cast<int64_t>(value);
  if (quotient) *quotient.as<float>() = static_cast<float>(value / divisor);
}

}  // namespace heed::cpu
#endif
