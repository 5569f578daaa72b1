// Products of inference with a weight of bf16 or f16: x is rounded on its way into shared memory, where it meets the
// weight's rows; while the warps multiply, what comes next over `in` is on its way.
#include "heed/cuda/linear_narrow.h"

#include "heed/cuda/gemm.h"
#include "heed/cuda/mma_tiles.h"

namespace heed::cuda {
namespace {

// Of `in` there come kDepth numbers at a time: where there are few blocks, more, for then it is their way that takes
// the time. The order of the sums is the same.
constexpr int kPiece = 8;  // numbers that a thread brings at once

struct NarrowProduct {
  Rows<const float> x;
  const uint16_t* w;
  int64_t w_stride;
  const float* bias;
  Rows<float> y;
  int64_t rows, in, out, column_tiles;
  bool by_four;  // x can be read by four numbers
  Activation kind;
};

template <int kRows, int kCols, int kDepth>
struct NarrowTiles {
  static constexpr int kX = kRows * kTileStride<kDepth>, kW = kCols * kTileStride<kDepth>;
  static constexpr size_t kBytes = sizeof(uint16_t) * 2 * (kX + kW);
  __device__ static uint16_t* x(int buffer) { return reinterpret_cast<uint16_t*>(dynamic_shared()) + buffer * kX; }
  __device__ static uint16_t* w(int buffer) { return x(2) + buffer * kW; }
};

// Numbers of x on their way from global to shared memory, a thread's.
template <int kRows, int kDepth>
class Incoming {
 public:
  __device__ void fetch(const NarrowProduct& p, int64_t first_row, int64_t k0) {
    each([&](int n, int r, int c) {
      const int64_t row = first_row + r, k = k0 + c;
      const float* from = p.x[row < p.rows ? row : 0] + k;
      if (row < p.rows && k + kPiece <= p.in && p.by_four) {
        const float4 a = *reinterpret_cast<const float4*>(from), b = *reinterpret_cast<const float4*>(from + 4);
        const float numbers[kPiece] = {a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w};
#pragma unroll
        for (int j = 0; j < kPiece; ++j) numbers_[n][j] = numbers[j];
      } else {
#pragma unroll
        for (int j = 0; j < kPiece; ++j) numbers_[n][j] = row < p.rows && k + j < p.in ? from[j] : 0.0f;
      }
    });
  }
  template <class T>
  __device__ void put_down(uint16_t* tile) const {
    using To = Factors<T>;
    each([&](int n, int r, int c) {
      const float* x = numbers_[n];
      *reinterpret_cast<Words*>(tile + r * kTileStride<kDepth> + c) = {
          {To::round_two(x[0], x[1]), To::round_two(x[2], x[3]), To::round_two(x[4], x[5]), To::round_two(x[6], x[7])}};
    });
  }

 private:
  static constexpr int kPiecesOfRow = kDepth / kPiece, kOfThread = kRows * kPiecesOfRow / kMmaThreads;
  template <class F>
  __device__ static void each(const F& f) {
#pragma unroll
    for (int n = 0; n < kOfThread; ++n) {
      const int i = n * kMmaThreads + static_cast<int>(threadIdx.x);
      f(n, i / kPiecesOfRow, i % kPiecesOfRow * kPiece);
    }
  }

  float numbers_[kOfThread][kPiece];
};

// Begins to bring a tile of the weight; zeros where it has none.
template <int kCols, int kDepth>
__device__ void load_weight(const NarrowProduct& p, int64_t first_column, int64_t k0, uint16_t* tile) {
  constexpr int kPiecesOfRow = kDepth / kPiece;
  static_assert(kCols * kPiecesOfRow % kMmaThreads == 0);
#pragma unroll
  for (int n = 0; n < kCols * kPiecesOfRow / kMmaThreads; ++n) {
    const int i = n * kMmaThreads + static_cast<int>(threadIdx.x), r = i / kPiecesOfRow, c = i % kPiecesOfRow * kPiece;
    const bool there = first_column + r < p.out && k0 + c < p.in;
    const int64_t at = there ? (first_column + r) * p.w_stride + k0 + c : 0;
    copy_async(tile + r * kTileStride<kDepth> + c, p.w + at, !there);
  }
}

// A tile of 64 kRowTiles rows by kCols columns of y.
template <class T, int kRowTiles, int kCols, int kDepth>
__global__ void __launch_bounds__(kMmaThreads) narrow_product_kernel(NarrowProduct p) {
  constexpr int kRows = kTileRows<kRowTiles>;
  using At = NarrowTiles<kRows, kCols, kDepth>;
  const int64_t first_row = blockIdx.x / p.column_tiles * kRows, first_column = blockIdx.x % p.column_tiles * kCols;
  const int own = first_row_of_warp<kRowTiles>();
  Incoming<kRows, kDepth> incoming;
  float sums[kRowTiles][kCols / 8][4] = {};
  incoming.fetch(p, first_row, 0);
  incoming.template put_down<T>(At::x(0));
  load_weight<kCols, kDepth>(p, first_column, 0, At::w(0));
  int buffer = 0;
  for (int64_t k0 = 0; k0 < p.in; k0 += kDepth, buffer ^= 1) {
    wait_for_copies();
    __syncthreads();  // this tile is there, and the other buffer has been read
    const bool more = k0 + kDepth < p.in;
    if (more) {
      load_weight<kCols, kDepth>(p, first_column, k0 + kDepth, At::w(buffer ^ 1));
      incoming.fetch(p, first_row, k0 + kDepth);
    }
    multiply_rows<kDepth, kRowTiles, kCols, T>(At::x(buffer) + own * kTileStride<kDepth>, At::w(buffer), sums);
    if (more) incoming.template put_down<T>(At::x(buffer ^ 1));
  }
  for_each_sum<kRowTiles, kCols>([&](int m, int n, int i, int r, int c) {
    const int64_t row = first_row + own + r, column = first_column + c;
    if (row >= p.rows || column >= p.out) return;
    p.y[row][column] = activate(p.kind, sums[m][n][i] + (p.bias ? p.bias[column] : 0.0f));
  });
}

template <class T, int kRowTiles, int kCols, int kDepth>
void run_narrow(cudaStream_t stream, NarrowProduct p) {
  constexpr int kRows = kTileRows<kRowTiles>;
  p.column_tiles = (p.out + kCols - 1) / kCols;
  launch(stream,
         {(p.rows + kRows - 1) / kRows * p.column_tiles, kMmaThreads, NarrowTiles<kRows, kCols, kDepth>::kBytes},
         &narrow_product_kernel<T, kRowTiles, kCols, kDepth>, p);
}

}  // namespace

NarrowWeight::NarrowWeight(CudaBackend& backend, const TensorView& w, bool transposed)
    : dtype_(w.dtype),
      out_(transposed ? w.cols() : w.rows()),
      in_(transposed ? w.rows() : w.cols()),
      stride_((in_ + kPiece - 1) / kPiece * kPiece),
      memory_(backend, static_cast<size_t>(out_ * stride_) * sizeof(uint16_t)) {
  backend.fill({memory_.as<void>(), dtype_, {out_, stride_}, stride_}, 0);
  if (!transposed) {
    backend.copy(w, view());
    return;
  }
  const Operand exact(backend, w, DType::kF32);
  const Scratch turned(backend, static_cast<size_t>(out_ * in_) * sizeof(float));
  const TensorView turned_view{turned.as<void>(), DType::kF32, {out_, in_}, in_};
  backend.transpose(exact.view(), turned_view);
  backend.copy(turned_view, view());
}

void multiply_narrow(cudaStream_t stream, const TensorView& x, const NarrowWeight& w, const TensorView& bias,
                     Activation kind, const TensorView& y) {
  const TensorView view = w.view();
  const NarrowProduct p{rows_of<const float>(x),
                        static_cast<const uint16_t*>(view.data),
                        view.row_stride,
                        bias ? bias.as<float>() : nullptr,
                        rows_of<float>(y),
                        y.rows(),
                        w.in_features(),
                        w.out_features(),
                        0,
                        rows_aligned(x, sizeof(float4)),
                        kind};
  const bool large = (p.rows + 127) / 128 * ((p.out + 63) / 64) >= kBusyBlocks;
  const auto run = [&](auto element) {
    using T = decltype(element);
    if (large) run_narrow<T, 2, 64, 64>(stream, p);
    else run_narrow<T, 1, 32, 128>(stream, p);
  };
  if (view.dtype == DType::kF16) run(F16());
  else run(Bf16());
}

}  // namespace heed::cuda
