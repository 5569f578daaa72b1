// The backward of attention on tensor cores: the two kernels of attention_backward.cu, of activations in bf16, to which
// the probabilities and their gradients are rounded, too; the rest is f32.
//
// The kernel for dk and dv has keys as its rows, so that what it computes of a tile, p^T and ds^T, lies in the lanes as
// the next products want their first factor: nothing of it goes through shared memory. In the other, for dq, that is so
// of ds; with a bias, ds is put down to be summed along its diagonals. Where segments are so short that a block has all
// keys of its own, the first kernel does it all: each tensor is read once, and five products are enough.
#include "heed/cuda/attention_mma.h"

namespace heed::cuda {
namespace {

constexpr int kCols = 32;  // queries (else keys) at a time: one word of dropout's bits a key

// More rows of a warp than these would not leave its sums in registers.
template <int kDim>
inline constexpr int kMostRowTiles = kDim <= 64 ? 2 : 1;

struct MmaBackward {
  HeadRows q, k, v, dy;
  Rows<const float> lse;
  const float* delta;  // [tokens_q][heads]
  const Segment* segments;
  const Tile* tiles;
  HeadParams params;
  bool accumulate, pairs;  // pairs: two numbers of a result are written at once
  Rows<Bf16> dq, dk, dv;
  float* dbias_parts;  // [query tiles][heads][table rows], zeroed; nullptr: no bias
};

// Where things lie in shared memory: two tiles of a block's own rows, two pairs of tiles that stream past, and f32.
template <int kDim, int kRowTiles>
struct Layout {
  static constexpr int kRows = kTileRows<kRowTiles>, kBiases = kRows + kCols, kScoreStride = kCols + 4;
  static constexpr int kOwn = kRows * kTileStride<kDim>, kBuffer = kCols * kTileStride<kDim>;
  static constexpr int kRoundedStride = kTileStride<kCols>;

  __device__ static uint16_t* own(int which) { return reinterpret_cast<uint16_t*>(dynamic_shared()) + which * kOwn; }
  __device__ static uint16_t* other(int which, int buffer) { return own(2) + (2 * which + buffer) * kBuffer; }
  __device__ static float* column_numbers(int which, int buffer) {
    return reinterpret_cast<float*>(other(2, 0)) + (2 * which + buffer) * kCols;
  }
  __device__ static float* biases(int buffer) { return column_numbers(2, 0) + buffer * kBiases; }
  // ds of a tile: as it is, [rows][kScoreStride], or rounded, [rows][kRoundedStride].
  __device__ static float* score_gradients() { return biases(2); }
  __device__ static uint16_t* rounded_gradients() { return reinterpret_cast<uint16_t*>(biases(2)); }

  static constexpr size_t kBytes =
      sizeof(uint16_t) * (2 * kOwn + 4 * kBuffer) + sizeof(float) * (4 * kCols + 2 * kBiases);
  static constexpr size_t kExactBytes = sizeof(float) * kRows * kScoreStride;
  static constexpr size_t kRoundedBytes = sizeof(uint16_t) * kRows * kRoundedStride;
};

// What both kernels begin a tile with: the raw scores of a warp's rows, and the gradients of the probabilities.
template <int kDim, int kRowTiles>
__device__ __forceinline__ void multiply_tile(int buffer, float (&scores)[kRowTiles][kCols / 8][4],
                                              float (&gradients)[kRowTiles][kCols / 8][4]) {
  using At = Layout<kDim, kRowTiles>;
  const int own = first_row_of_warp<kRowTiles>() * kTileStride<kDim>;
  multiply_rows<kDim, kRowTiles, kCols>(At::own(0) + own, At::other(0, buffer), scores);
  multiply_rows<kDim, kRowTiles, kCols>(At::own(1) + own, At::other(1, buffer), gradients);
}

// --- dk and dv --------------------------------------------------------------------------------------------------

// A block's walk over the queries that see its keys, head by head of those that share them.
struct Walk {
  int begin = 0, of_head = 0, count = 0;  // first query, which may be one of those before the segment; tiles

  // Tiles begin where dropout's blocks of eight queries do.
  __device__ Walk(const Segment& s, const HeadParams& p, int first_key) {
    const int first = first_query_of(s, p.causal, first_key);
    if (first >= s.q_len) return;
    begin = first - (s.q_offset + first) % 8;
    of_head = (s.q_len - begin + kCols - 1) / kCols;
    count = of_head * p.group;
  }
  __device__ int query(int n) const { return begin + n % of_head * kCols; }
};

template <int kDim, int kRowTiles>
__device__ __forceinline__ void load_queries(const MmaBackward& b, const Segment& s, const Tile& tile, int head, int i0,
                                             int buffer) {
  using At = Layout<kDim, kRowTiles>;
  const HeadParams& p = b.params;
  load_tile<kDim, kCols>(b.q, s.q_begin, i0, s.q_len, head, At::other(0, buffer));
  load_tile<kDim, kCols>(b.dy, s.q_begin, i0, s.q_len, head, At::other(1, buffer));
  if (threadIdx.x < kCols) {
    const int i = i0 + static_cast<int>(threadIdx.x);
    const bool there = i >= 0 && i < s.q_len;
    const int64_t token = s.q_begin + i;
    At::column_numbers(0, buffer)[threadIdx.x] = there ? b.lse[token][head] * kLog2OfE : 0.0f;
    At::column_numbers(1, buffer)[threadIdx.x] = there ? b.delta[token * p.heads + head] : 0.0f;
  }
  if (p.bias)
    load_biases<At::kBiases>(p, head, int64_t{tile.first} - s.q_offset - i0 - (kCols - 1), At::biases(buffer));
}

// The bias, and minus infinity where the query of a column does not see the key of a row. `first` is the warp's first
// key; `biases` begins at the distance of the block's first key from the last query.
template <int kRowTiles>
__device__ __forceinline__ void finish_scores_of_keys(const HeadParams& p, const Segment& s, int first, int i0,
                                                      const float* biases, float (&scores)[kRowTiles][kCols / 8][4]) {
  if (p.bias) {
    const int shift = first_row_of_warp<kRowTiles>() + kCols - 1;
    for_each_sum<kRowTiles, kCols>([&](int m, int n, int i, int row, int column) {
      scores[m][n][i] = fmaf(p.scale, scores[m][n][i], biases[shift + row - column]);
    });
  }
  const auto sees = [&](int key) { return key < s.k_len ? first_query_of(s, p.causal, key) : s.q_len; };
  if (i0 >= sees(first + kRowTile * kRowTiles - 1) && i0 + kCols <= s.q_len) return;  // all see all
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int from = sees(first + m * kRowTile + h * 8 + group_of_lane()) - i0;
#pragma unroll
      for (int n = 0; n < kCols / 8; ++n)
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const int column = n * 8 + 2 * place_of_lane() + e;
          if (column < from || i0 + column >= s.q_len) scores[m][n][2 * h + e] = -INFINITY;
        }
    }
}

// Rounds ds^T of a warp's keys and puts it where all warps find it.
template <int kDim, int kRowTiles>
__device__ __forceinline__ void put_down(const float (&gradients)[kRowTiles][kCols / 8][4]) {
  using At = Layout<kDim, kRowTiles>;
  uint16_t* own = At::rounded_gradients() + (first_row_of_warp<kRowTiles>() + group_of_lane()) * At::kRoundedStride +
                  2 * place_of_lane();
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int n = 0; n < kCols / 8; ++n)
#pragma unroll
      for (int h = 0; h < 2; ++h)
        *reinterpret_cast<uint32_t*>(own + (m * kRowTile + h * 8) * At::kRoundedStride + n * 8) =
            round_two(gradients[m][n][2 * h], gradients[m][n][2 * h + 1]);
}

// dq of a tile's queries from ds^T as it was put down and all keys, each warp half of the queries and of the channels.
template <int kDim, int kRowTiles>
__device__ __forceinline__ void store_queries(const MmaBackward& b, const Segment& s, int head, int i0) {
  using At = Layout<kDim, kRowTiles>;
  constexpr int kStride = kTileStride<kDim>, kHalf = kDim / 2;
  const HeadParams& p = b.params;
  const int lane = lane_of_warp(), warp = static_cast<int>(threadIdx.x) / kWarp;
  const int query = warp % 2 * kRowTile, channel = warp / 2 * kHalf;
  const uint16_t* a_row =
      At::rounded_gradients() + (lane % 8 + lane / 16 * 8) * At::kRoundedStride + query + lane / 8 % 2 * 8;
  const uint16_t* b_row = At::own(0) + lane % 16 * kStride + channel + lane / 16 * 8;
  float dq[kHalf / 8][4] = {};
#pragma unroll
  for (int k = 0; k < At::kRows; k += 16) {
    const Words factors = load_matrices_transposed(a_row + k * At::kRoundedStride);
#pragma unroll
    for (int n = 0; n < kHalf / 8; n += 2) {
      const Words keys = load_matrices_transposed(b_row + k * kStride + n * 8);
      mma(dq[n], factors, keys.x[0], keys.x[1]);
      mma(dq[n + 1], factors, keys.x[2], keys.x[3]);
    }
  }
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    const int i = i0 + query + h * 8 + group_of_lane();
    if (i >= 0 && i < s.q_len)
      store_row<kHalf>(dq, h, p.scale, p.dim - channel, b.accumulate, b.pairs,
                       b.dq[s.q_begin + i] + head * p.dim + channel);
  }
}

// One tile's part of dk and dv, without their constant factors. kWhole: ds^T is put down.
template <int kDim, int kRowTiles, bool kWhole>
__device__ __forceinline__ void add_queries(const MmaBackward& b, const Segment& s, int head, int first, int i0,
                                            int buffer, float (&dk)[kRowTiles][kDim / 8][4],
                                            float (&dv)[kRowTiles][kDim / 8][4]) {
  using At = Layout<kDim, kRowTiles>;
  const HeadParams& p = b.params;
  float scores[kRowTiles][kCols / 8][4] = {}, gradients[kRowTiles][kCols / 8][4] = {};
  multiply_tile<kDim, kRowTiles>(buffer, scores, gradients);
  finish_scores_of_keys<kRowTiles>(p, s, first, i0, At::biases(buffer), scores);
  const float factor = base_two_factor(p);
  const float *lse = At::column_numbers(0, buffer), *delta = At::column_numbers(1, buffer);
  uint32_t kept[kRowTiles][2] = {};
  if (p.dropout.active) draw_for_keys<kRowTiles>(p.dropout, s.example, head, s.q_offset + i0, first, kept);
  for_each_sum<kRowTiles, kCols>([&](int m, int n, int i, int, int column) {
    const float prob = power_of_two(fmaf(scores[m][n][i], factor, -lse[column]));
    const bool keep = !p.dropout.active || (kept[m][i / 2] >> column & 1);
    gradients[m][n][i] = prob * ((keep ? p.dropout.keep * gradients[m][n][i] : 0.0f) - delta[column]);
    scores[m][n][i] = keep ? prob : 0.0f;
  });
  if constexpr (kWhole) put_down<kDim, kRowTiles>(gradients);
  add_products<kDim, kRowTiles, kCols>(scores, At::other(1, buffer), dv);
  add_products<kDim, kRowTiles, kCols>(gradients, At::other(0, buffer), dk);
}

// dk and dv of a tile of keys, summed over the heads that share them. kWhole: the tile has all keys of its segment, and
// dq is computed, too.
template <int kDim, int kRowTiles, bool kWhole>
__global__ void __launch_bounds__(kMmaThreads) attention_mma_backward_keys_kernel(MmaBackward b) {
  using At = Layout<kDim, kRowTiles>;
  const HeadParams& p = b.params;
  const int kv_heads = p.heads / p.group, kv_head = static_cast<int>(blockIdx.x % kv_heads);
  const Tile tile = b.tiles[blockIdx.x / kv_heads];
  const Segment s = b.segments[tile.segment];
  const int first = tile.first + first_row_of_warp<kRowTiles>();
  const Walk walk(s, p, tile.first);
  const auto load = [&](int n, int buffer) {
    load_queries<kDim, kRowTiles>(b, s, tile, kv_head * p.group + n / walk.of_head, walk.query(n), buffer);
  };
  if (walk.count > 0) {
    load_tile<kDim, At::kRows>(b.k, s.k_begin, tile.first, s.k_len, kv_head, At::own(0));
    load_tile<kDim, At::kRows>(b.v, s.k_begin, tile.first, s.k_len, kv_head, At::own(1));
    load(0, 0);
  }
  const int own_first_query = first < s.k_len ? first_query_of(s, p.causal, first) : s.q_len;
  float dk[kRowTiles][kDim / 8][4] = {}, dv[kRowTiles][kDim / 8][4] = {};
  for (int n = 0, buffer = 0; n < walk.count; ++n, buffer ^= 1) {
    wait_for_copies();
    __syncthreads();  // this tile is there, and the other buffer has been read
    if (n + 1 < walk.count) load(n + 1, buffer ^ 1);
    const int i0 = walk.query(n), head = kv_head * p.group + n / walk.of_head;
    const bool seen = i0 + kCols > own_first_query && own_first_query < s.q_len;
    if (seen) add_queries<kDim, kRowTiles, kWhole>(b, s, head, first, i0, buffer, dk, dv);
    if constexpr (kWhole) {
      if (!seen) put_down<kDim, kRowTiles>({});
      __syncthreads();  // all of ds is there
      store_queries<kDim, kRowTiles>(b, s, head, i0);
    }
  }
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int key = first + m * kRowTile + h * 8 + group_of_lane();
      if (key >= s.k_len) continue;
      const int64_t token = s.k_begin + key;
      store_row<kDim>(dk[m], h, p.scale, p.dim, b.accumulate, b.pairs, b.dk[token] + kv_head * p.dim);
      store_row<kDim>(dv[m], h, p.dropout.keep, p.dim, b.accumulate, b.pairs, b.dv[token] + kv_head * p.dim);
    }
}

// --- dq and the bias --------------------------------------------------------------------------------------------

// Adds a tile of ds to the table rows of its distances: a thread sums diagonals, then table rows. `base` is the
// distance from the tile's first query to its first key.
template <class At>
__device__ void add_bias_gradient(int64_t base, int reach, float* part) {
  constexpr int kDiagonals = At::kRows + kCols - 1;
  __shared__ float diagonals[kDiagonals];
  __syncthreads();  // all of ds is there
  for (int d = static_cast<int>(threadIdx.x); d < kDiagonals; d += kMmaThreads) {
    float sum = 0;
    for (int c = 0; c < kCols; ++c) {
      const int r = c - d + (At::kRows - 1);
      if (r >= 0 && r < At::kRows) sum += At::score_gradients()[r * At::kScoreStride + c];
    }
    diagonals[d] = sum;
  }
  __syncthreads();
  const auto row_of = [&](int diagonal) { return bias_row(reach, base + diagonal - (At::kRows - 1)); };
  const int last = row_of(kDiagonals - 1);
  for (int row = row_of(0) + static_cast<int>(threadIdx.x); row <= last; row += kMmaThreads) {
    float sum = 0;
    for (int d = 0; d < kDiagonals; ++d)
      if (row_of(d) == row) sum += diagonals[d];
    part[row] += sum;
  }
}

// A row's log-sum-exp to the base 2, and its delta.
struct RowNumbers {
  float lse, delta;
};

// One tile's part of dq, without its constant factor. ds is put down for the bias if that is to have a gradient.
template <int kDim, int kRowTiles>
__device__ __forceinline__ void add_keys(const MmaBackward& b, const Segment& s, int head, int first, int k0,
                                         int buffer, const RowNumbers (&rows)[kRowTiles][2],
                                         float (&dq)[kRowTiles][kDim / 8][4]) {
  using At = Layout<kDim, kRowTiles>;
  const HeadParams& p = b.params;
  float scores[kRowTiles][kCols / 8][4] = {}, gradients[kRowTiles][kCols / 8][4] = {};
  multiply_tile<kDim, kRowTiles>(buffer, scores, gradients);
  finish_scores<kRowTiles, kCols>(p, s, first, k0, At::biases(buffer), scores);
  if (p.dropout.active)
    drop_of_queries<kRowTiles, kCols>(p.dropout, s.example, head, s.q_offset + first, k0, gradients);
  const float factor = base_two_factor(p);
  for_each_sum<kRowTiles, kCols>([&](int m, int n, int i, int row, int column) {
    const RowNumbers& of_row = rows[m][i / 2];
    const float prob = power_of_two(fmaf(scores[m][n][i], factor, -of_row.lse));
    gradients[m][n][i] = prob * fmaf(p.dropout.keep, gradients[m][n][i], -of_row.delta);
    if (b.dbias_parts)
      At::score_gradients()[(first_row_of_warp<kRowTiles>() + row) * At::kScoreStride + column] = gradients[m][n][i];
  });
  add_products<kDim, kRowTiles, kCols>(gradients, At::other(0, buffer), dq);
}

// dq of a tile of queries, and its part of the bias's gradient. Tiles as in the forward.
template <int kDim, int kRowTiles>
__global__ void __launch_bounds__(kMmaThreads) attention_mma_backward_queries_kernel(MmaBackward b) {
  using At = Layout<kDim, kRowTiles>;
  const HeadParams& p = b.params;
  const int number = static_cast<int>(gridDim.x - 1 - blockIdx.x), head = number % p.heads, kv_head = head / p.group;
  const Tile tile = b.tiles[number / p.heads];
  const Segment s = b.segments[tile.segment];
  const int first = tile.first + first_row_of_warp<kRowTiles>();
  const int most = most_visible(s, p.causal, tile.first, At::kRows);
  const int own_most = b.dbias_parts ? most : most_visible(s, p.causal, first, kRowTile * kRowTiles);
  const int64_t base = -int64_t{s.q_offset} - tile.first;  // the distance from the first query to the first key
  const auto load = [&](int k0, int buffer) {
    load_tile<kDim, kCols>(b.k, s.k_begin, k0, s.k_len, kv_head, At::other(0, buffer));
    load_tile<kDim, kCols>(b.v, s.k_begin, k0, s.k_len, kv_head, At::other(1, buffer));
    if (p.bias) load_biases<At::kBiases>(p, head, base + k0 - (At::kRows - 1), At::biases(buffer));
  };
  if (most > 0) {
    load_tile<kDim, At::kRows>(b.q, s.q_begin, tile.first, s.q_len, head, At::own(0));
    load_tile<kDim, At::kRows>(b.dy, s.q_begin, tile.first, s.q_len, head, At::own(1));
    load(0, 0);
  }
  RowNumbers rows[kRowTiles][2];
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int i = first + m * kRowTile + h * 8 + group_of_lane();
      const int64_t token = s.q_begin + i;
      rows[m][h] =
          i < s.q_len ? RowNumbers{b.lse[token][head] * kLog2OfE, b.delta[token * p.heads + head]} : RowNumbers{0, 0};
    }
  float dq[kRowTiles][kDim / 8][4] = {};
  for (int k0 = 0, buffer = 0; k0 < most; k0 += kCols, buffer ^= 1) {
    wait_for_copies();
    __syncthreads();  // this tile is there, and the other buffer has been read
    if (k0 + kCols < most) load(k0 + kCols, buffer ^ 1);
    if (k0 < own_most) add_keys<kDim, kRowTiles>(b, s, head, first, k0, buffer, rows, dq);
    if (b.dbias_parts) add_bias_gradient<At>(base + k0, p.reach, b.dbias_parts + int64_t{number} * (2 * p.reach + 1));
  }
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int i = first + m * kRowTile + h * 8 + group_of_lane();
      if (i < s.q_len)
        store_row<kDim>(dq[m], h, p.scale, p.dim, b.accumulate, b.pairs, b.dq[s.q_begin + i] + head * p.dim);
    }
}

// Whether each segment's keys lie in one tile, whose block then meets all of its queries.
bool fit_in_tiles(std::span<const Segment> segments, int rows) {
  return std::all_of(segments.begin(), segments.end(), [&](const Segment& s) {
    return s.q_len == 0 || (s.k_len > 0 && s.k_len <= rows && s.q_offset >= 0);
  });
}

// Calls f with kDim and kRowTiles as compile-time constants.
template <class F>
void with_sizes(int head_dim, int rows_of_tile, const F& f) {
  with_head_dim(head_dim, [&](auto dim) {
    with_row_tiles(rows_of_tile / kTileRows<1>, [&](auto tiles_of_warp) {
      constexpr int kDim = decltype(dim)::value, kRowTiles = decltype(tiles_of_warp)::value;
      if constexpr (kRowTiles <= kMostRowTiles<kDim>) f(dim, tiles_of_warp);
    });
  });
}

}  // namespace

BackwardTiles backward_tiles_on_tensor_cores(std::span<const Segment> segments, int head_dim) {
  BackwardTiles tiles{};
  with_head_dim(head_dim, [&](auto dim) {
    constexpr int kMost = kMostRowTiles<decltype(dim)::value>;
    tiles = {std::min(row_tiles(segments, true), kMost) * kTileRows<1>,
             std::min(row_tiles(segments, false), kMost) * kTileRows<1>};
  });
  return tiles;
}

void attention_backward_on_tensor_cores(CudaBackend& backend, const BackwardCall& call, const BackwardTiles& tiles) {
  const HeadParams& p = call.params;
  const int kv_heads = p.heads / p.group;
  const HeadOperand q(backend, call.q, p.heads, p.dim), k(backend, call.k, kv_heads, p.dim),
      v(backend, call.v, kv_heads, p.dim), dy(backend, call.dy, p.heads, p.dim);
  const bool pairs = takes_pairs(call.dq, p.dim) && takes_pairs(call.dk, p.dim) && takes_pairs(call.dv, p.dim);
  MmaBackward b{q.rows(),
                k.rows(),
                v.rows(),
                dy.rows(),
                rows_of<const float>(call.lse),
                call.delta,
                call.segments,
                call.key_tiles,
                p,
                call.accumulate,
                pairs,
                rows_of<Bf16>(call.dq),
                rows_of<Bf16>(call.dk),
                rows_of<Bf16>(call.dv),
                call.dbias_parts};
  const int64_t key_blocks = call.key_tile_count * kv_heads;
  const bool whole = !call.dbias_parts && fit_in_tiles(call.segments_of_host, tiles.keys);
  with_sizes(p.dim, tiles.keys, [&](auto dim, auto tiles_of_warp) {
    constexpr int kDim = decltype(dim)::value, kRowTiles = decltype(tiles_of_warp)::value;
    using At = Layout<kDim, kRowTiles>;
    if (whole)
      launch(backend.stream(), {key_blocks, kMmaThreads, At::kBytes + At::kRoundedBytes},
             &attention_mma_backward_keys_kernel<kDim, kRowTiles, true>, b);
    else
      launch(backend.stream(), {key_blocks, kMmaThreads, At::kBytes},
             &attention_mma_backward_keys_kernel<kDim, kRowTiles, false>, b);
  });
  if (whole) return;
  b.tiles = call.query_tiles;
  with_sizes(p.dim, tiles.queries, [&](auto dim, auto tiles_of_warp) {
    constexpr int kDim = decltype(dim)::value, kRowTiles = decltype(tiles_of_warp)::value;
    using At = Layout<kDim, kRowTiles>;
    launch(backend.stream(),
           {call.query_tile_count * p.heads, kMmaThreads, At::kBytes + (b.dbias_parts ? At::kExactBytes : 0)},
           &attention_mma_backward_queries_kernel<kDim, kRowTiles>, b);
  });
}

}  // namespace heed::cuda
