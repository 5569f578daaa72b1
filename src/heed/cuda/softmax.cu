// Softmax, its logarithm, its backward, and label-smoothed cross entropy: a block a row, the row read again from the
// cache.
#include "heed/cuda/cuda_backend.h"
#include "heed/cuda/launch.h"

namespace heed::cuda {
namespace {

// Calls f for each column of the row that is this thread's.
template <class F>
__device__ void for_own_columns(int64_t cols, const F& f) {
  for (int64_t c = threadIdx.x; c < cols; c += blockDim.x) f(c);
}

__device__ float row_maximum(const float* x, int64_t cols) {
  float best = -INFINITY;
  for_own_columns(cols, [&](int64_t c) { best = fmaxf(best, x[c]); });
  return reduce_block<Maximum>(best);
}

__device__ float sum_of_exponentials(const float* x, float shift, int64_t cols) {
  float sum = 0;
  for_own_columns(cols, [&](int64_t c) { sum += expf(x[c] - shift); });
  return reduce_block<Add>(sum);
}

__global__ void softmax_kernel(Rows<const float> x, Rows<float> y, int64_t cols) {
  const float* in = x[blockIdx.x];
  float* out = y[blockIdx.x];
  const float max = row_maximum(in, cols);
  const float inverse = 1.0f / sum_of_exponentials(in, max, cols);
  for_own_columns(cols, [&](int64_t c) { out[c] = expf(in[c] - max) * inverse; });
}

// dx = y (dy - sum(y dy))
__global__ void softmax_backward_kernel(Rows<const float> y, Rows<const float> dy, Rows<float> dx, int64_t cols,
                                        bool accumulate) {
  const float *p = y[blockIdx.x], *g = dy[blockIdx.x];
  float* out = dx[blockIdx.x];
  float dot = 0;
  for_own_columns(cols, [&](int64_t c) { dot = fmaf(p[c], g[c], dot); });
  const float total = reduce_block<Add>(dot);
  for_own_columns(cols, [&](int64_t c) {
    const float value = p[c] * (g[c] - total);
    out[c] = accumulate ? out[c] + value : value;
  });
}

__global__ void log_softmax_kernel(Rows<const float> x, Rows<float> y, int64_t cols) {
  const float* in = x[blockIdx.x];
  float* out = y[blockIdx.x];
  const float max = row_maximum(in, cols);
  const float log_sum = max + logf(sum_of_exponentials(in, max, cols));
  for_own_columns(cols, [&](int64_t c) { out[c] = in[c] - log_sum; });
}

// Of a block: so many that the rows of all blocks at work, which each pass reads again, stay in the cache.
constexpr int kRowThreads = 1024;

template <class T>
struct CrossEntropy {
  Rows<const float> logits;
  const int32_t* targets;
  float smoothing, uniform;  // uniform: smoothing / classes
  float *losses, *nll;
  Rows<T> dlogits;  // may be the logits
  int64_t cols;
};

// -(1 - s) log p(t) - s / n sum of log p = lse - (1 - s) x_t - s / n sum of x
template <class T>
__global__ void __launch_bounds__(kRowThreads) cross_entropy_kernel(CrossEntropy<T> f) {
  const int64_t r = blockIdx.x;
  const float* x = f.logits[r];
  T* dx = f.dlogits ? f.dlogits[r] : nullptr;
  const int32_t target = f.targets[r];
  if (target < 0) {
    if (threadIdx.x == 0) f.losses[r] = f.nll[r] = 0;
    if (dx) for_own_columns(f.cols, [&](int64_t c) { dx[c] = T(0.0f); });
    return;
  }
  const float chosen = x[target];  // before dx is written over it: the reductions below wait for all threads
  // In one pass: exponentials of what lies below the largest of this thread's columns so far.
  float own_max = -INFINITY, own_exponentials = 0, plain = 0;
  for_own_columns(f.cols, [&](int64_t c) {
    const float value = x[c];
    plain += value;
    if (value > own_max) {
      own_exponentials = fmaf(own_exponentials, expf(own_max - value), 1.0f);
      own_max = value;
    } else if (value != -INFINITY) {
      own_exponentials += expf(value - own_max);
    }
  });
  const float max = reduce_block<Maximum>(own_max);
  const float own_share = own_max == max ? 1.0f : expf(own_max - max);
  const float exponentials = reduce_block<Add>(own_exponentials * own_share);
  plain = reduce_block<Add>(plain);
  const float log_sum = max + logf(exponentials);
  if (threadIdx.x == 0) {
    f.nll[r] = log_sum - chosen;
    f.losses[r] = log_sum - (1 - f.smoothing) * chosen - f.uniform * plain;
  }
  if (!dx) return;
  const float inverse = 1.0f / exponentials;
  for_own_columns(f.cols, [&](int64_t c) {
    const float value = expf(x[c] - max) * inverse - f.uniform;
    dx[c] = T(c == target ? value - (1 - f.smoothing) : value);
  });
}

}  // namespace

void CudaBackend::softmax(const TensorView& x, const TensorView& y) {
  if (x.cols() == 0) return;
  launch(stream(), {x.rows(), threads_for(x.cols())}, &softmax_kernel, rows_of<const float>(x), rows_of<float>(y),
         x.cols());
}

void CudaBackend::softmax_backward(const TensorView& y, const TensorView& dy, bool accumulate, const TensorView& dx) {
  if (y.cols() == 0) return;
  launch(stream(), {y.rows(), threads_for(y.cols())}, &softmax_backward_kernel, rows_of<const float>(y),
         rows_of<const float>(dy), rows_of<float>(dx), y.cols(), accumulate);
}

void CudaBackend::log_softmax(const TensorView& x, const TensorView& y) {
  if (x.cols() == 0) return;
  launch(stream(), {x.rows(), threads_for(x.cols())}, &log_softmax_kernel, rows_of<const float>(x), rows_of<float>(y),
         x.cols());
}

void CudaBackend::cross_entropy(const TensorView& logits, const TensorView& targets, float smoothing,
                                const TensorView& losses, const TensorView& nll, const TensorView& dlogits) {
  const int64_t cols = logits.cols();
  with_element(dlogits, [&](auto element) {
    using T = decltype(element);
    launch(stream(), {logits.rows(), threads_for(cols, kRowThreads)}, &cross_entropy_kernel<T>,
           CrossEntropy<T>{rows_of<const float>(logits), targets.as<int32_t>(), smoothing,
                           smoothing / static_cast<float>(cols), losses.as<float>(), nll.as<float>(),
                           rows_of<T>(dlogits), cols});
  });
}

}  // namespace heed::cuda
