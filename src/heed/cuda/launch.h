// Launching kernels, the answers of the CUDA runtime, and what kernels have in common: loops over elements and units,
// reductions within a block, sums over columns.
//
// All reductions add in an order that depends on the sizes alone: the same inputs give the same bits. Blocks have a
// whole number of warps.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <type_traits>
#include <utility>

#include "heed/core/tensor_view.h"
#include "heed/cuda/dropout-device.h"
#include "heed/cuda/math-device.h"

namespace heed::cuda {

inline constexpr int kWarp = 32;
inline constexpr int kThreads = 256;  // of a block, where nothing speaks for another number
// Blocks that keep a large GPU busy: two for each of a Hopper's multiprocessors. A constant, so that what depends on it
// is the same on all GPUs.
inline constexpr int64_t kBusyBlocks = 264;

// Throws DeviceError with what the runtime says about `status`, unless it is success.
void check_cuda(cudaError_t status, const char* what);

template <class T>
Rows<T> rows_of(const TensorView& x) {
  return {x ? x.as<std::remove_const_t<T>>() : nullptr, x.row_stride};
}

// Whether each row begins at a multiple of so many bytes.
inline bool rows_aligned(const TensorView& x, size_t bytes) {
  return reinterpret_cast<uintptr_t>(x.data) % bytes == 0 &&
         (x.rows() <= 1 || static_cast<size_t>(x.row_stride) * size_of(x.dtype) % bytes == 0);
}

// Calls f with a number of the type that activations like `x` are kept in: float or Bf16.
template <class F>
void with_element(const TensorView& x, const F& f) {
  if (x.dtype == DType::kBF16) f(Bf16());
  else f(float());
}

// --- launches ---------------------------------------------------------------------------------------------------

struct Size {
  int64_t blocks;
  int threads = kThreads;
  size_t shared_bytes = 0;
};

template <class... Parameters, class... Arguments>
void launch(cudaStream_t stream, const Size& size, void (*kernel)(Parameters...), Arguments&&... arguments) {
  if (size.blocks == 0) return;
  check<ShapeError>(size.blocks <= 0x7FFFFFFF, "{} blocks are more than a GPU takes at once", size.blocks);
  constexpr size_t kWithoutAsking = size_t{48} << 10;
  if (size.shared_bytes > kWithoutAsking)
    check_cuda(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    static_cast<int>(size.shared_bytes)),
               "shared memory of a block");
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(size.blocks));
  config.blockDim = dim3(static_cast<unsigned>(size.threads));
  config.dynamicSmemBytes = size.shared_bytes;
  config.stream = stream;
  check_cuda(cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...), "the launch of a kernel");
}

// Whole warps for `work` items, at most `most` threads.
inline int threads_for(int64_t work, int most = 512) {
  return static_cast<int>(std::clamp<int64_t>((work + kWarp - 1) / kWarp * kWarp, kWarp, most));
}

// A block's dynamic shared memory.
#ifdef __CUDACC__
__device__ inline float* dynamic_shared() {
  extern __shared__ float4 heed_dynamic_shared[];
  return reinterpret_cast<float*>(heed_dynamic_shared);
}
#else
float* dynamic_shared();  // tests/cuda: the host build
#endif

// --- loops over elements ----------------------------------------------------------------------------------------

template <class Index, class F>
__global__ void element_kernel(Index total, Index cols, F f) {
  const Index step = static_cast<Index>(gridDim.x) * blockDim.x;
  for (Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x; i < total; i += step) {
    const Index r = i / cols;
    f(static_cast<int64_t>(r), static_cast<int64_t>(i - r * cols));
  }
}

// Calls f(row, column) on the device for all elements of [rows, cols], in no order.
template <class F>
void for_each_element(cudaStream_t stream, int64_t rows, int64_t cols, const F& f) {
  const int64_t total = rows * cols;
  if (total == 0) return;
  const Size size{std::min<int64_t>((total + kThreads - 1) / kThreads, 1 << 15)};
  // Division by 32 bits costs a third of that by 64.
  if (total < int64_t{1} << 31)
    launch(stream, size, &element_kernel<uint32_t, F>, static_cast<uint32_t>(total), static_cast<uint32_t>(cols), f);
  else launch(stream, size, &element_kernel<uint64_t, F>, static_cast<uint64_t>(total), static_cast<uint64_t>(cols), f);
}

// The same for views of one shape: where all are contiguous, as one long row.
template <class F>
void for_each_element(cudaStream_t stream, std::initializer_list<TensorView> views, const F& f) {
  const TensorView& x = *views.begin();
  const bool flat = std::all_of(views.begin(), views.end(), [](const TensorView& v) { return v.contiguous(); });
  if (flat) for_each_element(stream, 1, x.rows() * x.cols(), f);
  else for_each_element(stream, x.rows(), x.cols(), f);
}

template <class F>
__global__ void unit_kernel(int64_t total, int64_t units, F f) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < total; i += step) {
    const int64_t r = i / units;
    f(r, i - r * units);
  }
}

// Calls f(row, unit) for all units (dropout-device.h) of rows of `cols` channels.
template <class F>
void for_each_unit(cudaStream_t stream, int64_t rows, int64_t cols, const F& f) {
  const int64_t units = units_of(cols), total = rows * units;
  if (total == 0) return;
  launch(stream, {std::min<int64_t>((total + kThreads - 1) / kThreads, 1 << 15)}, &unit_kernel<F>, total, units, f);
}

// What f.read(row, column) gives for the channels of a unit, all of which are read before f.write(row, column, read,
// factor) is called for any, so that the reads are under way together.
template <class F>
struct DroppedChannels {
  int64_t cols;
  DropoutSpec spec;
  F f;
  __device__ void operator()(int64_t r, int64_t unit) const {
    const DropoutFactors factors = spec.unit(r, unit);
    decltype(f.read(0, 0)) read[kUnitChannels];
#pragma unroll
    for (int j = 0; j < kUnitChannels; ++j)
      if (const int64_t c = unit_channel(unit, j); c < cols) read[j] = f.read(r, c);
#pragma unroll
    for (int j = 0; j < kUnitChannels; ++j)
      if (const int64_t c = unit_channel(unit, j); c < cols) f.write(r, c, read[j], factors[j]);
  }
};

// f.read and f.write for all elements of rows of `cols` channels, the latter with the element's factor.
template <class F>
void for_each_dropped(cudaStream_t stream, int64_t rows, int64_t cols, const Dropout& dropout, const F& f) {
  for_each_unit(stream, rows, cols, DroppedChannels<F>{cols, DropoutSpec(dropout), f});
}

// --- reductions within a block ----------------------------------------------------------------------------------

struct Add {
  static __device__ float identity() { return 0; }
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Maximum {
  static __device__ float identity() { return -INFINITY; }
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

// All lanes of a warp get the result. Two lanes that exchange values add the same two, so all results are alike.
template <class Op, int kLanes = kWarp>
__device__ inline float reduce_lanes(float value) {
  for (int offset = kLanes / 2; offset > 0; offset /= 2)
    value = Op()(value, __shfl_xor_sync(0xFFFFFFFFu, value, offset));
  return value;
}

// All threads of a block get the result; all must call it.
template <class Op>
__device__ inline float reduce_block(float value) {
  __shared__ float parts[kWarp];
  value = reduce_lanes<Op>(value);
  const unsigned warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  __syncthreads();  // what an earlier reduction left has been read
  if (lane == 0) parts[warp] = value;
  __syncthreads();
  return reduce_lanes<Op>(lane < blockDim.x / kWarp ? parts[lane] : Op::identity());
}

// --- sums over columns ------------------------------------------------------------------------------------------

inline constexpr int kSumColumns = 32, kSumLanes = 8;  // of a block: columns, and threads that share a column

// partial[chunk][sum][col] = the sums over the chunk's rows of what f(row, col, values) gives.
template <int kSums, class F>
__global__ void column_chunk_kernel(int64_t rows, int64_t cols, int64_t chunk_rows, int64_t column_blocks,
                                    float* partial, F f) {
  __shared__ float parts[kSums][kSumLanes][kSumColumns];
  const int64_t chunk = blockIdx.x / column_blocks, c = blockIdx.x % column_blocks * kSumColumns + threadIdx.x % kWarp;
  const int lane = static_cast<int>(threadIdx.x / kWarp);
  float sums[kSums] = {};
  const int64_t end = (chunk + 1) * chunk_rows < rows ? (chunk + 1) * chunk_rows : rows;
#pragma unroll 4
  for (int64_t r = chunk * chunk_rows + lane; c < cols && r < end; r += kSumLanes) {
    float values[kSums];
    f(r, c, values);
    for (int s = 0; s < kSums; ++s) sums[s] += values[s];
  }
  for (int s = 0; s < kSums; ++s) parts[s][lane][threadIdx.x % kWarp] = sums[s];
  __syncthreads();
  if (lane >= kSums || c >= cols) return;
  float total = 0;
  for (int i = 0; i < kSumLanes; ++i) total += parts[lane][i][threadIdx.x % kWarp];
  partial[(chunk * kSums + lane) * cols + c] = total;
}

template <int kSums>
struct ColumnOutputs {
  float* data[kSums];  // nullptr: not wanted
};

template <int kSums>
__global__ void column_total_kernel(const float* partial, int64_t chunks, int64_t cols, bool accumulate,
                                    ColumnOutputs<kSums> outputs) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= kSums * cols) return;
  const int64_t s = i / cols, c = i - s * cols;
  float* out = outputs.data[s];
  if (!out) return;
  float total = 0;
#pragma unroll 16
  for (int64_t chunk = 0; chunk < chunks; ++chunk) total += partial[(chunk * kSums + s) * cols + c];
  out[c] = accumulate ? out[c] + total : total;
}

// How column sums over `rows` rows are divided.
struct ColumnPlan {
  int64_t chunk_rows, chunks;
  explicit ColumnPlan(int64_t rows)
      : chunk_rows(std::max<int64_t>((rows + 127) / 128, 32)), chunks((rows + chunk_rows - 1) / chunk_rows) {}
  size_t bytes(int64_t cols, int sums) const { return static_cast<size_t>(chunks * cols) * sums * sizeof(float); }
};

// outputs[s] (+)= the sums over all rows of values[s] as f(row, col, values) gives them; `partial`: plan.bytes() of
// scratch.
template <int kSums, class F>
void sum_columns(cudaStream_t stream, int64_t rows, int64_t cols, const ColumnPlan& plan, float* partial,
                 bool accumulate, const ColumnOutputs<kSums>& outputs, const F& f) {
  static_assert(kSums <= kSumLanes);
  const int64_t column_blocks = (cols + kSumColumns - 1) / kSumColumns;
  launch(stream, {plan.chunks * column_blocks, kSumColumns * kSumLanes}, &column_chunk_kernel<kSums, F>, rows, cols,
         plan.chunk_rows, column_blocks, partial, f);
  launch(stream, {(kSums * cols + kThreads - 1) / kThreads}, &column_total_kernel<kSums>, partial, plan.chunks, cols,
         accumulate, outputs);
}

}  // namespace heed::cuda
