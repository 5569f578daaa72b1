// What attention's kernels share: their arguments, and rows staged in shared memory.
//
// Legend: a block of 256 threads has a tile of queries or keys of one head; eight threads that are neighbours
// (`across`) share a row of scores. kDim is head_dim rounded up to 32, 64 or 128; what lies between is staged as zeros.
#pragma once

#include "heed/cuda/attention-device.h"
#include "heed/cuda/gemm.h"
#include "heed/cuda/launch.h"

namespace heed::cuda {

inline constexpr int kMostHeadDim = 128;
inline constexpr int kAcross = 8, kRowsAtOnce = kThreads / kAcross;  // 32

// AttentionParams as kernels take them.
struct HeadParams {
  int heads, group, dim;  // group: query heads of a key head
  float scale;
  bool causal;
  DropoutSpec dropout;
  Rows<const float> bias;  // the table of distances; none: nullptr
  int reach;

  explicit HeadParams(const AttentionParams& p)
      : heads(p.heads),
        group(p.heads / p.kv_heads),
        dim(p.head_dim),
        scale(p.scale),
        causal(p.causal),
        dropout(p.dropout),
        bias(rows_of<const float>(p.bias.table)),
        reach(p.bias.table ? static_cast<int>(p.bias.reach()) : 0) {
    check<ShapeError>(p.head_dim <= kMostHeadDim, "attention on a GPU: head_dim {}; at most {} was expected",
                      p.head_dim, kMostHeadDim);
  }

  // The scaled score of a query with a key, from their product. `query` counts from the begin of its sequence.
  __device__ float score(float product, int head, int64_t query, int64_t key) const {
    const float scaled = scale * product;
    return bias ? scaled + bias[bias_row(reach, key - query)][head] : scaled;
  }
};

// Calls f with kDim as a compile-time constant.
template <class F>
void with_head_dim(int dim, const F& f) {
  if (dim <= 32) f(std::integral_constant<int, 32>());
  else if (dim <= 64) f(std::integral_constant<int, 64>());
  else f(std::integral_constant<int, 128>());
}

// Floats of a staged row: four more than kDim, so that the same four columns of eight rows lie in different banks.
template <int kDim>
inline constexpr int kStagedStride = kDim + 4;
inline constexpr int kScoreStride = kRowsAtOnce + 4;

__device__ inline float4 load_four(const float* x) { return *reinterpret_cast<const float4*>(x); }
__device__ inline float dot_four(const float4& a, const float4& b, float sum) {
  return fmaf(a.x, b.x, fmaf(a.y, b.y, fmaf(a.z, b.z, fmaf(a.w, b.w, sum))));
}
// acc[0, 4) += factor * x
__device__ inline void add_four(float factor, const float4& x, float* acc) {
  acc[0] = fmaf(factor, x.x, acc[0]);
  acc[1] = fmaf(factor, x.y, acc[1]);
  acc[2] = fmaf(factor, x.z, acc[2]);
  acc[3] = fmaf(factor, x.w, acc[3]);
}

// Which of 32 keys a warp's queries keep under dropout: lane l draws for key `first_key` + l. The queries, which follow
// one another, lie in at most two blocks of eight. All lanes of a warp construct and ask together.
class KeptKeys {
 public:
  __device__ KeptKeys(const DropoutSpec& spec, uint32_t example, int head, int first_query, int last_query,
                      int first_key)
      : block_(first_query / 8), two_(last_query / 8 != block_), keep_(spec.keep) {
    const int key = first_key + static_cast<int>(threadIdx.x) % kWarp;
    low_ = spec.attention(example, head, block_, key).kept();
    high_ = two_ ? spec.attention(example, head, block_ + 1, key).kept() : 0;
  }
  __device__ float factor(int query, int key) const {  // the key counts from the first
    uint32_t bits = __shfl_sync(0xFFFFFFFFu, low_, key);
    if (two_) {
      const uint32_t high = __shfl_sync(0xFFFFFFFFu, high_, key);
      if (query / 8 != block_) bits = high;
    }
    return bits >> query % 8 & 1 ? keep_ : 0.0f;
  }

 private:
  int block_;
  bool two_;
  float keep_;
  uint32_t low_, high_;
};

// Which of 32 queries keep a key: they lie in at most five blocks of eight, and each of the eight lanes that share the
// key draws one. All lanes of a warp construct and ask together.
class KeptQueries {
 public:
  __device__ KeptQueries(const DropoutSpec& spec, uint32_t example, int head, int first_query, int key)
      : block_(first_query / 8), keep_(spec.keep) {
    bits_ = spec.attention(example, head, block_ + static_cast<int>(threadIdx.x) % kAcross, key).kept();
  }
  __device__ float factor(int query) const {
    return __shfl_sync(0xFFFFFFFFu, bits_, query / 8 - block_, kAcross) >> query % 8 & 1 ? keep_ : 0.0f;
  }

 private:
  int block_;
  float keep_;
  uint32_t bits_;
};

// Copies rows [first, first + kRows) of one head, as far as there are `rows` of them, into shared memory, zeros beyond.
template <int kDim, int kRows>
__device__ void stage(const Rows<const float>& x, int64_t first, int rows, int column, int dim, float* staged) {
  for (int i = static_cast<int>(threadIdx.x); i < kRows * kDim; i += kThreads) {
    const int r = i / kDim, c = i % kDim;
    staged[r * kStagedStride<kDim> + c] = r < rows && c < dim ? x[first + r][column + c] : 0.0f;
  }
}

// acc[kDim / 8] += the sum over k of factors[k] * rows[k], of the columns 4 across + 32 i.
template <int kDim>
__device__ void add_rows(const float* factors, const float* rows, int across, float* acc) {
  for (int k = 0; k < kRowsAtOnce; k += 4) {
    const float4 f = load_four(factors + k);
    const float each[4] = {f.x, f.y, f.z, f.w};
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const float* row = rows + (k + j) * kStagedStride<kDim> + 4 * across;
#pragma unroll
      for (int i = 0; i < kDim / 32; ++i) add_four(each[j], load_four(row + 32 * i), acc + 4 * i);
    }
  }
}

// y[column + 4 across + 32 i + e] (+)= factor * acc, as far as the head has columns.
template <int kDim>
__device__ void store_head(const float* acc, float factor, int across, int dim, bool accumulate, float* y) {
#pragma unroll
  for (int i = 0; i < kDim / 8; ++i) {
    const int c = i / 4 * 32 + 4 * across + i % 4;
    if (c < dim) y[c] = accumulate ? y[c] + factor * acc[i] : factor * acc[i];
  }
}

// --- in f32, of activations in bf16: of heads that tensor cores are not for --------------------------------------

class ExactCopies {
 public:
  ExactCopies(CudaBackend& backend, std::initializer_list<TensorView> tensors) {
    for (const TensorView& x : tensors) copies_.push_back(std::make_unique<Operand>(backend, x, DType::kF32));
  }
  const TensorView& operator[](size_t i) const { return copies_[i]->view(); }

 private:
  std::vector<std::unique_ptr<Operand>> copies_;
};

// A copy in f32 of what a kernel writes or adds to: some rows may stay as they are.
class ExactResult {
 public:
  ExactResult(CudaBackend& backend, const TensorView& x)
      : backend_(backend), x_(x), memory_(backend, static_cast<size_t>(x.rows() * x.cols()) * sizeof(float)) {
    backend.scale(x, 1, false, view());
  }
  TensorView view() const { return {memory_.as<void>(), DType::kF32, {x_.rows(), x_.cols()}, x_.cols()}; }
  void give_back() const { backend_.scale(view(), 1, false, x_); }

 private:
  CudaBackend& backend_;
  TensorView x_;
  Scratch memory_;
};

// --- on tensor cores (attention_mma.cu, attention_mma_backward.cu) -----------------------------------------------

// Whether attention runs there: of activations in bf16, and for the sizes of heads that are common.
bool on_tensor_cores(const TensorView& q, const AttentionParams& params);

// As Backend::attention.
void attention_on_tensor_cores(CudaBackend& backend, const TensorView& q, const TensorView& k, const TensorView& v,
                               std::span<const Segment> segments, const AttentionParams& params, const TensorView& y,
                               const TensorView& lse);

// Rows of the backward's tiles of queries and of keys.
struct BackwardTiles {
  int queries, keys;
};
BackwardTiles backward_tiles_on_tensor_cores(std::span<const Segment> segments, int head_dim);

// A backward as its kernels are launched; pointers are the device's.
struct BackwardCall {
  TensorView q, k, v, lse, dy, dq, dk, dv;
  std::span<const Segment> segments_of_host;
  const Segment* segments;
  const Tile *query_tiles, *key_tiles;
  int64_t query_tile_count, key_tile_count;
  HeadParams params;
  bool accumulate;
  const float* delta;  // [tokens_q][heads]
  float* dbias_parts;  // [query tiles][heads][table rows], zeroed; nullptr: no bias
};
void attention_backward_on_tensor_cores(CudaBackend& backend, const BackwardCall& call, const BackwardTiles& tiles);

}  // namespace heed::cuda
