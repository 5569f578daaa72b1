// Sums: over rows (the gradient of a bias), over everything.
//
// Total sums are taken in double precision: each block sums a stretch whose length depends on the size alone, and one
// block sums what they found.
#include "heed/cuda/cuda_backend.h"
#include "heed/cuda/launch.h"

namespace heed::cuda {
namespace {

struct Element {
  Rows<const float> x;
  __device__ void operator()(int64_t r, int64_t c, float (&values)[1]) const { values[0] = x[r][c]; }
};

constexpr int kMostBlocks = 1024;

// The sum over the block in its first thread.
__device__ double sum_of_block(double value) {
  __shared__ double parts[kThreads];
  parts[threadIdx.x] = value;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (static_cast<int>(threadIdx.x) < half) parts[threadIdx.x] += parts[threadIdx.x + half];
    __syncthreads();
  }
  return parts[0];
}

template <bool kSquare>
__global__ void total_kernel(Rows<const float> x, int64_t cols, int64_t total, int64_t stretch, double* partial) {
  const int64_t begin = blockIdx.x * stretch, end = begin + stretch < total ? begin + stretch : total;
  double sum = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
    const int64_t r = x.stride == cols ? 0 : i / cols;
    const double value = x[r][i - r * cols];
    sum += kSquare ? value * value : value;
  }
  sum = sum_of_block(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void total_of_partials_kernel(const double* partial, int count, double* result) {
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kThreads) sum += partial[i];
  sum = sum_of_block(sum);
  if (threadIdx.x == 0) *result = sum;
}

template <bool kSquare>
double total_of(CudaBackend& backend, const TensorView& x) {
  const int64_t total = x.rows() * x.cols();
  if (total == 0) return 0;
  const int64_t stretch = std::max<int64_t>((total + kMostBlocks - 1) / kMostBlocks, 8 * kThreads);
  const int64_t blocks = (total + stretch - 1) / stretch;
  const Scratch memory(backend, static_cast<size_t>(blocks + 1) * sizeof(double));
  auto* partial = memory.as<double>();
  Rows<const float> rows = rows_of<const float>(x);
  if (x.contiguous()) rows.stride = x.cols();
  launch(backend.stream(), {blocks}, &total_kernel<kSquare>, rows, x.cols(), total, stretch, partial + 1);
  launch(backend.stream(), {1}, &total_of_partials_kernel, partial + 1, static_cast<int>(blocks), partial);
  double result = 0;
  backend.to_host(partial, sizeof result, &result);
  return result;
}

}  // namespace

void CudaBackend::column_sum(const TensorView& x, bool accumulate, const TensorView& y) {
  const ColumnPlan plan(x.rows());
  const Scratch partial(*this, plan.bytes(x.cols(), 1));
  sum_columns<1>(stream(), x.rows(), x.cols(), plan, partial.as<float>(), accumulate, {{y.as<float>()}},
                 Element{rows_of<const float>(x)});
}

double CudaBackend::sum(const TensorView& x) { return total_of<false>(*this, x); }
double CudaBackend::sum_of_squares(const TensorView& x) { return total_of<true>(*this, x); }

}  // namespace heed::cuda
