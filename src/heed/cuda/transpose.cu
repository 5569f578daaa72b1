// Transposing matrices, and the first two dimensions of larger arrays.
#include "heed/cuda/cuda_backend.h"
#include "heed/cuda/launch.h"

namespace heed::cuda {
namespace {

constexpr int kTile = 32;

// y[c][r] = x[r][c], a tile of 32 x 32 at a time through shared memory, so that both are passed over in whole lines.
__global__ void transpose_kernel(Rows<const float> x, int64_t rows, int64_t cols, int64_t column_tiles, float* y) {
  __shared__ float tile[kTile][kTile + 1];  // one more: a column's elements lie in different banks
  const int64_t r0 = blockIdx.x / column_tiles * kTile, c0 = blockIdx.x % column_tiles * kTile;
  const int lane = static_cast<int>(threadIdx.x) % kTile;
  for (int i = static_cast<int>(threadIdx.x) / kTile; i < kTile; i += kThreads / kTile)
    if (r0 + i < rows && c0 + lane < cols) tile[i][lane] = x[r0 + i][c0 + lane];
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x) / kTile; i < kTile; i += kThreads / kTile)
    if (c0 + i < cols && r0 + lane < rows) y[(c0 + i) * rows + r0 + lane] = tile[lane][i];
}

// y[k][i][·] = x[i][k][·]
struct SwapFirstTwo {
  const float* x;
  int64_t a, b, c, outer_stride, row_stride;
  float* y;
  __device__ void operator()(int64_t row, int64_t col) const {  // row of y: k a + i
    const int64_t k = row / a, i = row - k * a;
    y[row * c + col] = x[i * outer_stride + k * row_stride + col];
  }
};

}  // namespace

void CudaBackend::transpose(const TensorView& x, const TensorView& y) {
  const int64_t a = x.shape[0], b = x.shape[1];
  auto* out = y.as<float>();
  if (x.shape.rank() == 2) {
    const int64_t column_tiles = (b + kTile - 1) / kTile, row_tiles = (a + kTile - 1) / kTile;
    return launch(stream(), {row_tiles * column_tiles}, &transpose_kernel, rows_of<const float>(x), a, b, column_tiles,
                  out);
  }
  const int64_t c = x.shape[2];
  for_each_element(stream(), b * a, c, SwapFirstTwo{x.as<float>(), a, b, c, x.row_stride * b, x.row_stride, out});
}

}  // namespace heed::cuda
