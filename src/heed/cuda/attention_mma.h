// What attention's kernels on tensor cores share: tiles of bf16 in shared memory, their products, masks, biases,
// dropout.
//
// Legend: a block of four warps has a tile of 64 kRowTiles rows (queries, or, for dk and dv, keys) of one head, a warp
// 16 kRowTiles of them. Tiles of kCols others (keys, or queries) stream past: while the warps work on one, the next is
// on its way into the other of two buffers. kDim is head_dim rounded up to 32, 64 or 128, what lies between is zero. A
// warp's scores [16 kRowTiles, kCols] are spread over its lanes as mma's sums are (mma-device.h): number [m][n][i] has
// row 16 m + 8 (i / 2) + group and column 8 n + 2 place + i mod 2; so do a row's two halves h = i / 2.
#pragma once

#include "heed/cuda/attention.h"
#include "heed/cuda/mma_tiles.h"

namespace heed::cuda {

inline constexpr float kLog2OfE = 1.4426950408889634f, kLogOf2 = 0.6931471805599453f;

// q, k, v or dy in bf16: heads of `channels` channels, zeros beyond, each row's 16 bytes loaded at once.
struct HeadRows {
  const uint16_t* data;
  int64_t token_stride;
  int head_stride, channels;
};

// Begins to bring rows [first, first + kRows) of a segment that begins at token `begin`, one head's, into a tile; zeros
// where the segment, of `length` rows, has none. They are there after wait_for_copies() and a barrier.
template <int kDim, int kRows>
__device__ __forceinline__ void load_tile(const HeadRows& x, int64_t begin, int first, int length, int head,
                                          uint16_t* tile) {
  constexpr int kPieces = kDim / 8, kOfThread = kRows * kPieces / kMmaThreads;  // a piece: 16 bytes of a row
  static_assert(kRows * kPieces % kMmaThreads == 0);
#pragma unroll
  for (int n = 0; n < kOfThread; ++n) {
    const int i = n * kMmaThreads + static_cast<int>(threadIdx.x), r = i / kPieces, c = i % kPieces * 8;
    const bool there = first + r >= 0 && first + r < length && c < x.channels;
    const int64_t at = (begin + first + r) * x.token_stride + head * x.head_stride + c;
    copy_async(tile + r * kTileStride<kDim> + c, x.data + (there ? at : 0), !there);
  }
}

// sums += factors others, [16 kRowTiles, kCols] by [kCols, kDim]; the factors are rounded to bf16.
template <int kDim, int kRowTiles, int kCols>
__device__ __forceinline__ void add_products(const float (&factors)[kRowTiles][kCols / 8][4], const uint16_t* others,
                                             float (&sums)[kRowTiles][kDim / 8][4]) {
  constexpr int kStride = kTileStride<kDim>;
  const int lane = lane_of_warp();
  const uint16_t* b_row = others + lane % 16 * kStride + lane / 16 * 8;
#pragma unroll
  for (int k = 0; k < kCols / 16; ++k) {
    Words a[kRowTiles];
#pragma unroll
    for (int m = 0; m < kRowTiles; ++m) {
      const auto &left = factors[m][2 * k], &right = factors[m][2 * k + 1];
      a[m] = {{round_two(left[0], left[1]), round_two(left[2], left[3]), round_two(right[0], right[1]),
               round_two(right[2], right[3])}};
    }
#pragma unroll
    for (int n = 0; n < kDim / 8; n += 2) {
      const Words b = load_matrices_transposed(b_row + k * 16 * kStride + n * 8);
#pragma unroll
      for (int m = 0; m < kRowTiles; ++m) {
        mma(sums[m][n], a[m], b.x[0], b.x[1]);
        mma(sums[m][n + 1], a[m], b.x[2], b.x[3]);
      }
    }
  }
}

// --- scores -----------------------------------------------------------------------------------------------------

// How many keys the last of the segment's queries [first, first + count) sees; 0 if the segment has none of them.
__device__ __forceinline__ int most_visible(const Segment& s, bool causal, int first, int count) {
  const int end = first + count < s.q_len ? first + count : s.q_len;
  return first < end ? visible_keys(s, causal, end - 1) : 0;
}

// Sets scores of the queries from `first` with the keys from k0 to minus infinity where the query does not see the key.
template <int kRowTiles, int kCols>
__device__ __forceinline__ void hide_keys(const Segment& s, bool causal, int first, int k0,
                                          float (&scores)[kRowTiles][kCols / 8][4]) {
  if (first + kRowTile * kRowTiles <= s.q_len && k0 + kCols <= visible_keys(s, causal, first)) return;  // all see all
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int query = first + m * kRowTile + h * 8 + group_of_lane();
      const int visible = query < s.q_len ? visible_keys(s, causal, query) - k0 : 0;
#pragma unroll
      for (int n = 0; n < kCols / 8; ++n)
#pragma unroll
        for (int e = 0; e < 2; ++e)
          if (n * 8 + 2 * place_of_lane() + e >= visible) scores[m][n][2 * h + e] = -INFINITY;
    }
}

// What raw products are multiplied by for scores to the base 2; with a bias the scores have their scale already.
__device__ __forceinline__ float base_two_factor(const HeadParams& p) { return p.bias ? kLog2OfE : p.scale * kLog2OfE; }

// biases[x] = the bias for distance base + x.
template <int kCount>
__device__ __forceinline__ void load_biases(const HeadParams& p, int head, int64_t base, float* biases) {
  for (int x = static_cast<int>(threadIdx.x); x < kCount; x += kMmaThreads)
    biases[x] = p.bias[bias_row(p.reach, base + x)][head];
}

// Adds the bias and hides what a query does not see. `first` is the warp's first query; `biases` begins at the distance
// from the block's last query to the key k0.
template <int kRowTiles, int kCols>
__device__ __forceinline__ void finish_scores(const HeadParams& p, const Segment& s, int first, int k0,
                                              const float* biases, float (&scores)[kRowTiles][kCols / 8][4]) {
  if (p.bias) {
    const int last = kTileRows<kRowTiles> - 1 - first_row_of_warp<kRowTiles>();
    for_each_sum<kRowTiles, kCols>([&](int m, int n, int i, int row, int column) {
      scores[m][n][i] = fmaf(p.scale, scores[m][n][i], biases[last + column - row]);
    });
  }
  hide_keys<kRowTiles, kCols>(s, p.causal, first, k0, scores);
}

// --- dropout ----------------------------------------------------------------------------------------------------

// Zeros what dropout drops of 16 kRowTiles queries by kCols keys, from `first_query` and `first_key`. A lane draws for
// every 32nd key; the two or three blocks of eight that a row tile's queries lie in share a word.
template <int kRowTiles, int kCols>
__device__ __forceinline__ void drop_of_queries(const DropoutSpec& spec, uint32_t example, int head, int first_query,
                                                int first_key, float (&x)[kRowTiles][kCols / 8][4]) {
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) {
    const int first = first_query + m * kRowTile, block = first / 8;
    uint32_t words[kCols / kWarp];
#pragma unroll
    for (int j = 0; j < kCols / kWarp; ++j) {
      const auto kept = [&](int b) {
        return spec.attention(example, head, b, first_key + j * kWarp + lane_of_warp()).kept();
      };
      words[j] = kept(block) | kept(block + 1) << 8;
      if (first % 8 != 0) words[j] |= kept(block + 2) << 16;
    }
#pragma unroll
    for (int n = 0; n < kCols / 8; ++n)
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const uint32_t word = __shfl_sync(0xFFFFFFFFu, words[n / 4], n % 4 * 8 + 2 * place_of_lane() + e) >>
                              (first % 8 + group_of_lane());
        if (!(word & 1)) x[m][n][e] = 0;
        if (!(word >> 8 & 1)) x[m][n][2 + e] = 0;
      }
  }
}

// Which of 32 queries from `first_query`, a multiple of eight, a warp's keys keep: bit c of kept[m][h] is query c of
// row 16 m + 8 h + group. A lane draws for a key of sixteen and two blocks of queries.
template <int kRowTiles>
__device__ __forceinline__ void draw_for_keys(const DropoutSpec& spec, uint32_t example, int head, int first_query,
                                              int first_key, uint32_t (&kept)[kRowTiles][2]) {
  const int lane = lane_of_warp(), block = first_query / 8 + lane / 16 * 2;
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) {
    const int key = first_key + m * kRowTile + lane % 16;
    uint32_t word =
        spec.attention(example, head, block, key).kept() | spec.attention(example, head, block + 1, key).kept() << 8;
    word <<= lane / 16 * 16;
    word |= __shfl_xor_sync(0xFFFFFFFFu, word, 16);
#pragma unroll
    for (int h = 0; h < 2; ++h) kept[m][h] = __shfl_sync(0xFFFFFFFFu, word, h * 8 + group_of_lane());
  }
}

// --- results ----------------------------------------------------------------------------------------------------

// y (+)= factor * row 8 half + group of the sums, as far as the head has columns. `pairs`: two numbers of y at once.
template <int kDim>
__device__ __forceinline__ void store_row(const float (&sums)[kDim / 8][4], int half, float factor, int dim,
                                          bool accumulate, bool pairs, Bf16* y) {
#pragma unroll
  for (int n = 0; n < kDim / 8; ++n) {
    const int c = n * 8 + 2 * place_of_lane();
    if (c >= dim) continue;
    float first = factor * sums[n][2 * half], second = factor * sums[n][2 * half + 1];
    if (pairs) {
      auto* to = reinterpret_cast<uint32_t*>(y + c);
      if (accumulate) {
        first += float_of_bf16(static_cast<uint16_t>(*to));
        second += float_of_bf16(static_cast<uint16_t>(*to >> 16));
      }
      *to = round_two(first, second);
    } else {
      put(first, accumulate, y[c]);
      if (c + 1 < dim) put(second, accumulate, y[c + 1]);
    }
  }
}

// --- the host's part --------------------------------------------------------------------------------------------

// A tensor's HeadRows, or those of a copy where 16 bytes cannot be loaded at once as they lie.
class HeadOperand {
 public:
  HeadOperand(CudaBackend& backend, const TensorView& x, int heads, int dim);
  const HeadRows& rows() const { return rows_; }

 private:
  std::optional<Scratch> memory_;
  HeadRows rows_;
};

// Row tiles of a warp: two, unless they would make over a quarter more rows, in all segments, than one.
int row_tiles(std::span<const Segment> segments, bool queries);

// Whether two numbers of each head's rows can be written at once.
bool takes_pairs(const TensorView& y, int dim);

}  // namespace heed::cuda
