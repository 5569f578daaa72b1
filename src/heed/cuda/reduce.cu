// Sums: over rows (the gradient of a bias), over everything.
//
// Total sums are taken in double precision: each block sums a stretch whose length depends on the size alone, and one
// block sums what they found.
#include "heed/cuda/cuda_backend.h"
#include "heed/cuda/launch.h"

namespace heed::cuda {
namespace {

template <class T>
struct Element {
  Rows<const T> x;
  __device__ void operator()(int64_t r, int64_t c, float (&values)[1]) const { values[0] = float(x[r][c]); }
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

// The sum of all elements or of their squares, on the device.
template <bool kSquare>
class Total {
 public:
  Total(CudaBackend& backend, const TensorView& x)
      : total_(x.rows() * x.cols()),
        stretch_(std::max<int64_t>((total_ + kMostBlocks - 1) / kMostBlocks, 8 * kThreads)),
        blocks_((total_ + stretch_ - 1) / stretch_),
        memory_(backend, static_cast<size_t>(blocks_ + 1) * sizeof(double)) {
    Rows<const float> rows = rows_of<const float>(x);
    if (x.contiguous()) rows.stride = x.cols();
    auto* partial = memory_.as<double>(sizeof(double));
    launch(backend.stream(), {blocks_}, &total_kernel<kSquare>, rows, x.cols(), total_, stretch_, partial);
    launch(backend.stream(), {1}, &total_of_partials_kernel, partial, static_cast<int>(blocks_), memory_.as<double>());
  }
  const double* result() const { return memory_.as<double>(); }

 private:
  int64_t total_, stretch_, blocks_;
  Scratch memory_;
};

template <bool kSquare>
double total_of(CudaBackend& backend, const TensorView& x) {
  const Total<kSquare> total(backend, x);
  double result = 0;
  backend.to_host(total.result(), sizeof result, &result);
  return result;
}

struct KeepSum {
  const double* sum;
  double divisor;
  int64_t* bits;
  float* quotient;
  __device__ void operator()(int64_t, int64_t) const {
    *reinterpret_cast<double*>(bits) = *sum;
    if (quotient) *quotient = static_cast<float>(*sum / divisor);
  }
};

struct DivideByRoot {
  const double* square;
  double least;
  Rows<float> x;
  __device__ void operator()(int64_t r, int64_t c) const {
    const double length = sqrt(*square);
    x[r][c] *= static_cast<float>(1 / (length > least ? length : least));
  }
};

}  // namespace

void CudaBackend::column_sum(const TensorView& x, bool accumulate, const TensorView& y) {
  const ColumnPlan plan(x.rows());
  const Scratch partial(*this, plan.bytes(x.cols(), 1));
  with_element(x, [&](auto element) {
    using T = decltype(element);
    sum_columns<1>(stream(), x.rows(), x.cols(), plan, partial.as<float>(), accumulate, {{y.as<float>()}},
                   Element<T>{rows_of<const T>(x)});
  });
}

double CudaBackend::sum(const TensorView& x) { return total_of<false>(*this, x); }
double CudaBackend::sum_of_squares(const TensorView& x) { return total_of<true>(*this, x); }

void CudaBackend::sum_to(const TensorView& x, double divisor, const TensorView& sum, const TensorView& quotient) {
  const Total<false> total(*this, x);
  for_each_element(stream(), 1, 1,
                   KeepSum{total.result(), divisor, sum.as<int64_t>(), quotient ? quotient.as<float>() : nullptr});
}

void CudaBackend::divide_by_length(const TensorView& x, double least) {
  const Total<true> squares(*this, x);
  for_each_element(stream(), {x}, DivideByRoot{squares.result(), least, rows_of<float>(x)});
}

}  // namespace heed::cuda
