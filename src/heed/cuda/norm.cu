// Residual addition with dropout and normalisation in one pass, and its backward.
//
// Layer normalisation: Ba, Kiros and Hinton 2016; root mean square: Zhang and Sennrich 2019. A block has a row; each
// thread has the same units of channels in all passes over it, so it reads nothing but what it wrote itself.
#include "heed/cuda/cuda_backend.h"
#include "heed/cuda/launch.h"

namespace heed::cuda {
namespace {

// Calls use(channel, read(channel), factor) for the channels of the row that are this thread's, those of a unit being
// read before any is used, so that the reads are under way together.
template <class Read, class Use>
__device__ void for_own_channels(int64_t row, int64_t cols, const DropoutSpec& spec, const Read& read, const Use& use) {
  for (int64_t unit = threadIdx.x; unit < units_of(cols); unit += blockDim.x) {
    decltype(read(0)) values[kUnitChannels];
#pragma unroll
    for (int j = 0; j < kUnitChannels; ++j)
      if (const int64_t c = unit_channel(unit, j); c < cols) values[j] = read(c);
    const DropoutFactors factors = spec.active ? spec.unit(row, unit) : DropoutFactors{{}, 0, 1.0f};
#pragma unroll
    for (int j = 0; j < kUnitChannels; ++j)
      if (const int64_t c = unit_channel(unit, j); c < cols) use(c, values[j], factors[j]);
  }
}

struct Two {
  float a, b;
};
struct Three {
  float a, b, c;
};

template <class T>
struct AddNorm {
  Rows<const T> x, f;
  DropoutSpec dropout;
  NormKind kind;
  float epsilon;
  const float *gamma, *beta;
  Rows<T> sum, y;
  Rows<float> statistics;
  int64_t cols;
};

// What is normalised is the sum as it is kept, which the backward reads.
template <class T>
__global__ void add_norm_kernel(AddNorm<T> a) {
  const int64_t r = blockIdx.x;
  const T* x = a.x[r];
  const T* f = a.f ? a.f[r] : nullptr;
  T* y = a.y[r];
  T* s = a.sum ? a.sum[r] : y;
  float total = 0;
  for_own_channels(
      r, a.cols, a.dropout,
      [&](int64_t c) {
        return Two{float(x[c]), f ? float(f[c]) : 0.0f};
      },
      [&](int64_t c, const Two& in, float factor) {
        const T kept(in.a + in.b * factor);
        s[c] = kept;
        total += float(kept);
      });
  const DropoutSpec none;
  const auto sum_at = [&](int64_t c) { return float(s[c]); };
  const float n = static_cast<float>(a.cols);
  const float mean = a.kind == NormKind::kLayer ? reduce_block<Add>(total) / n : 0.0f;
  float squares = 0;
  for_own_channels(r, a.cols, none, sum_at, [&](int64_t, float x_c, float) {
    const float deviation = x_c - mean;
    squares = fmaf(deviation, deviation, squares);
  });
  const float rstd = 1.0f / sqrtf(reduce_block<Add>(squares) / n + a.epsilon);
  if (a.statistics && threadIdx.x == 0) {
    a.statistics[r][0] = mean;
    a.statistics[r][1] = rstd;
  }
  for_own_channels(
      r, a.cols, none,
      [&](int64_t c) {
        return Three{float(s[c]), a.gamma[c], a.beta ? a.beta[c] : 0.0f};
      },
      [&](int64_t c, const Three& in, float) { y[c] = T((in.a - mean) * rstd * in.b + in.c); });
}

template <class T>
struct NormBackward {
  Rows<const T> sum;
  Rows<const float> statistics;
  NormKind kind;
  const float* gamma;
  Rows<const T> dy, dsum;
  DropoutSpec dropout;
  bool accumulate_dx, accumulate_df;
  Rows<T> dx, df;
  int64_t cols;
};

// Per row, with n = (sum - mean) rstd and gg = dy gamma:
//   g = rstd (gg - mean(gg) - n mean(gg n)) + dsum; for kRms without mean(gg). dx = g, df = dropout(g).
template <class T>
__global__ void norm_backward_kernel(NormBackward<T> b) {
  const int64_t r = blockIdx.x;
  const T *s = b.sum[r], *dy = b.dy[r];
  const float mean = b.statistics[r][0], rstd = b.statistics[r][1], n = static_cast<float>(b.cols);
  const DropoutSpec none;
  float sum_g = 0, sum_gn = 0;
  // dy gamma, and the normalised sum
  const auto inputs = [&](int64_t c) { return Two{float(dy[c]) * b.gamma[c], (float(s[c]) - mean) * rstd}; };
  for_own_channels(r, b.cols, none, inputs, [&](int64_t, const Two& in, float) {
    sum_g += in.a;
    sum_gn = fmaf(in.a, in.b, sum_gn);
  });
  const float total_g = reduce_block<Add>(sum_g), mean_gn = reduce_block<Add>(sum_gn) / n;
  const float mean_g = b.kind == NormKind::kLayer ? total_g / n : 0.0f;
  const T* dsum = b.dsum ? b.dsum[r] : nullptr;
  T* dx = b.dx ? b.dx[r] : nullptr;
  T* df = b.df ? b.df[r] : nullptr;
  for_own_channels(
      r, b.cols, df ? b.dropout : none,
      [&](int64_t c) {
        const Two in = inputs(c);
        return rstd * fmaf(-in.b, mean_gn, in.a - mean_g) + (dsum ? float(dsum[c]) : 0.0f);
      },
      [&](int64_t c, float value, float factor) {
        if (dx) put(value, b.accumulate_dx, dx[c]);
        if (df) put(value * factor, b.accumulate_df, df[c]);
      });
}

// What a row adds to dgamma and dbeta: dy n, dy.
template <class T>
struct ParameterGradients {
  Rows<const T> sum, dy;
  Rows<const float> statistics;
  __device__ void operator()(int64_t r, int64_t c, float (&values)[2]) const {
    const auto gradient = float(dy[r][c]);
    values[0] = gradient * ((float(sum[r][c]) - statistics[r][0]) * statistics[r][1]);
    values[1] = gradient;
  }
};

}  // namespace

void CudaBackend::add_norm(const TensorView& x, const TensorView& f, const Dropout& dropout, NormKind kind,
                           float epsilon, const TensorView& gamma, const TensorView& beta, const TensorView& sum,
                           const TensorView& y, const TensorView& statistics) {
  with_element(y, [&](auto element) {
    using T = decltype(element);
    launch(stream(), {y.rows(), threads_for(units_of(y.cols()))}, &add_norm_kernel<T>,
           AddNorm<T>{rows_of<const T>(x), rows_of<const T>(f), DropoutSpec(dropout), kind, epsilon, gamma.as<float>(),
                      beta ? beta.as<float>() : nullptr, rows_of<T>(sum), rows_of<T>(y), rows_of<float>(statistics),
                      y.cols()});
  });
}

void CudaBackend::norm_backward(const TensorView& sum, const TensorView& statistics, NormKind kind,
                                const TensorView& gamma, const TensorView& dy, const TensorView& dsum,
                                const Dropout& dropout, bool accumulate_dx, const TensorView& dx, bool accumulate_df,
                                const TensorView& df, bool accumulate_parameters, const TensorView& dgamma,
                                const TensorView& dbeta) {
  const int64_t rows = dy.rows(), cols = dy.cols();
  const auto numbers = rows_of<const float>(statistics);
  with_element(dy, [&](auto element) {
    using T = decltype(element);
    // First, for dx may lie where dy does.
    if (dgamma || dbeta) {
      const ColumnPlan plan(rows);
      const Scratch partial(*this, plan.bytes(cols, 2));
      sum_columns<2>(stream(), rows, cols, plan, partial.as<float>(), accumulate_parameters,
                     {{dgamma ? dgamma.as<float>() : nullptr, dbeta ? dbeta.as<float>() : nullptr}},
                     ParameterGradients<T>{rows_of<const T>(sum), rows_of<const T>(dy), numbers});
    }
    if (!dx && !df) return;
    launch(stream(), {rows, threads_for(units_of(cols))}, &norm_backward_kernel<T>,
           NormBackward<T>{rows_of<const T>(sum), numbers, kind, gamma.as<float>(), rows_of<const T>(dy),
                           rows_of<const T>(dsum), DropoutSpec(dropout), accumulate_dx, accumulate_df, rows_of<T>(dx),
                           rows_of<T>(df), cols});
  });
}

}  // namespace heed::cuda
