// y = act(x w^T + bias) of inference, with a weight kept as f32 [in][out]; one of bf16 or f16 goes to tensor cores
// (linear_narrow.cu).
//
// Each element is one chain of fused multiply-adds over `in` in order, as on the CPU: a row's result does not depend on
// the rows beside it, which cuBLASLt, whose algorithm follows the number of rows, does not promise.
#include "heed/cuda/gemm.h"
#include "heed/cuda/launch.h"
#include "heed/cuda/linear_narrow.h"

namespace heed::cuda {
namespace {

constexpr int kColumns = 64, kDepth = 32;  // of a block's tile
constexpr int kColumnsOfThread = 4;
constexpr int kThreadsAcross = kColumns / kColumnsOfThread, kThreadsDown = kThreads / kThreadsAcross;

class PackedWeight final : public PackedMatrix {
 public:
  PackedWeight(CudaBackend& backend, const TensorView& w, bool transposed)
      : out_(transposed ? w.cols() : w.rows()),
        in_(transposed ? w.rows() : w.cols()),
        memory_(backend, static_cast<size_t>(out_ * in_) * sizeof(float)) {
    const TensorView kept{memory_.as<void>(), DType::kF32, {in_, out_}, out_};
    if (transposed) backend.copy(w, kept);
    else backend.transpose(Operand(backend, w, DType::kF32).view(), kept);
  }
  int64_t out_features() const override { return out_; }
  int64_t in_features() const override { return in_; }
  const float* data() const { return memory_.as<float>(); }

 private:
  int64_t out_, in_;
  Scratch memory_;
};

struct PackedProduct {
  Rows<const float> x;
  const float* w;  // [in][out]
  const float* bias;
  Rows<float> y;
  int64_t rows, in, out, column_tiles;
  Activation kind;
};

// A tile of 16 kRows rows by 64 columns; each thread has kRows rows by 4 columns of it. What comes next over `in` is on
// its way while it multiplies.
template <int kRows>
__global__ void __launch_bounds__(kThreads) packed_product_kernel(PackedProduct p) {
  constexpr int kTileRows = kThreadsDown * kRows, kStride = kTileRows + 2;  // two rows' pairs lie in different banks
  constexpr int kXs = kTileRows * kDepth / kThreads, kWs = kDepth * kColumns / kThreads;  // that a thread brings
  __shared__ float xs[kDepth][kStride];
  __shared__ float ws[kDepth][kColumns];
  const int64_t first_row = blockIdx.x / p.column_tiles * kTileRows;
  const int64_t first_column = blockIdx.x % p.column_tiles * kColumns;
  const int own = static_cast<int>(threadIdx.x), across = own % kThreadsAcross, down = own / kThreadsAcross;
  float next_xs[kXs], next_ws[kWs], acc[kRows][kColumnsOfThread] = {};
  const auto fetch = [&](int64_t k0) {
#pragma unroll
    for (int n = 0; n < kXs; ++n) {
      const int i = own + n * kThreads, r = i / kDepth, k = i % kDepth;
      next_xs[n] = first_row + r < p.rows && k0 + k < p.in ? p.x[first_row + r][k0 + k] : 0.0f;
    }
#pragma unroll
    for (int n = 0; n < kWs; ++n) {
      const int i = own + n * kThreads, k = i / kColumns, c = i % kColumns;
      next_ws[n] = k0 + k < p.in && first_column + c < p.out ? p.w[(k0 + k) * p.out + first_column + c] : 0.0f;
    }
  };
  fetch(0);
  for (int64_t k0 = 0; k0 < p.in; k0 += kDepth) {
    __syncthreads();  // the tiles before have been read
#pragma unroll
    for (int n = 0; n < kXs; ++n) xs[(own + n * kThreads) % kDepth][(own + n * kThreads) / kDepth] = next_xs[n];
#pragma unroll
    for (int n = 0; n < kWs; ++n) ws[(own + n * kThreads) / kColumns][(own + n * kThreads) % kColumns] = next_ws[n];
    __syncthreads();
    if (k0 + kDepth < p.in) fetch(k0 + kDepth);
#pragma unroll 4
    for (int k = 0; k < kDepth; ++k) {
      float w[kColumnsOfThread];
#pragma unroll
      for (int c = 0; c < kColumnsOfThread; ++c) w[c] = ws[k][across * kColumnsOfThread + c];
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const float x = xs[k][down * kRows + r];
#pragma unroll
        for (int c = 0; c < kColumnsOfThread; ++c) acc[r][c] = fmaf(x, w[c], acc[r][c]);
      }
    }
  }
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    const int64_t row = first_row + down * kRows + r;
#pragma unroll
    for (int c = 0; c < kColumnsOfThread; ++c) {
      const int64_t column = first_column + across * kColumnsOfThread + c;
      if (row >= p.rows || column >= p.out) continue;
      p.y[row][column] = activate(p.kind, acc[r][c] + (p.bias ? p.bias[column] : 0.0f));
    }
  }
}

// y[r] = row ids[r] of the weight.
template <class T>
struct PackedRow {
  const int32_t* ids;
  const T* w;
  int64_t out_stride, in_stride;
  Rows<float> y;
  __device__ void operator()(int64_t r, int64_t k) const { y[r][k] = float(w[ids[r] * out_stride + k * in_stride]); }
};

template <int kRows>
int64_t tiles_of(const PackedProduct& p) {
  return (p.rows + kThreadsDown * kRows - 1) / (kThreadsDown * kRows) * p.column_tiles;
}
template <int kRows>
void run_tiles(cudaStream_t stream, const PackedProduct& p) {
  launch(stream, {tiles_of<kRows>(p)}, &packed_product_kernel<kRows>, p);
}

}  // namespace

std::shared_ptr<const PackedMatrix> CudaBackend::pack(const TensorView& w, bool transposed) {
  if (w.dtype == DType::kBF16 || w.dtype == DType::kF16) return std::make_shared<NarrowWeight>(*this, w, transposed);
  return std::make_shared<PackedWeight>(*this, w, transposed);
}

void CudaBackend::linear_packed(const TensorView& x, const PackedMatrix& w, const TensorView& bias, Activation kind,
                                const TensorView& y) {
  if (const auto* narrow = dynamic_cast<const NarrowWeight*>(&w))
    return multiply_narrow(stream(), x, *narrow, bias, kind, y);
  const auto& packed = static_cast<const PackedWeight&>(w);
  const int64_t out = packed.out_features();
  const PackedProduct p{rows_of<const float>(x),
                        packed.data(),
                        bias ? bias.as<float>() : nullptr,
                        rows_of<float>(y),
                        y.rows(),
                        packed.in_features(),
                        out,
                        (out + kColumns - 1) / kColumns,
                        kind};
  if (tiles_of<8>(p) < kBusyBlocks) run_tiles<2>(stream(), p);
  else run_tiles<8>(stream(), p);
}

void CudaBackend::packed_rows(const PackedMatrix& w, const TensorView& ids, const TensorView& y) {
  if (const auto* narrow = dynamic_cast<const NarrowWeight*>(&w)) {
    const TensorView rows = narrow->view();
    const auto copy_from = [&](const auto* w_data) {
      for_each_element(stream(), y.rows(), y.cols(),
                       PackedRow<std::remove_cvref_t<decltype(*w_data)>>{ids.as<int32_t>(), w_data, rows.row_stride, 1,
                                                                         rows_of<float>(y)});
    };
    return rows.dtype == DType::kF16 ? copy_from(rows.as<F16>()) : copy_from(rows.as<Bf16>());
  }
  const auto& packed = static_cast<const PackedWeight&>(w);
  for_each_element(stream(), y.rows(), y.cols(),
                   PackedRow<float>{ids.as<int32_t>(), packed.data(), 1, packed.out_features(), rows_of<float>(y)});
}

}  // namespace heed::cuda
