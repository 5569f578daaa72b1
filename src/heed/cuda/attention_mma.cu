// Scaled dot-product attention, forward, on tensor cores: as attention.cu, but of activations in bf16, to which the
// probabilities are rounded, too; scores, softmax and sums are f32.
//
// A row's result depends on its segment alone: kCols and the order of keys are the same for both sizes of tiles.
#include "heed/cuda/attention_mma.h"

namespace heed::cuda {
namespace {

// Keys at a time: what leaves the sums of 128 queries in registers.
template <int kDim>
inline constexpr int kForwardCols = kDim <= 64 ? 64 : 32;

struct MmaForward {
  HeadRows q, k, v;
  const Segment* segments;
  const Tile* tiles;
  HeadParams params;
  bool pairs;  // two numbers of y are written at once
  Rows<Bf16> y;
  Rows<float> lse;
};

template <int kDim, int kRowTiles>
constexpr size_t forward_bytes() {
  constexpr int kRows = kTileRows<kRowTiles>, kCols = kForwardCols<kDim>;
  return sizeof(uint16_t) * (kRows + 4 * kCols) * kTileStride<kDim> + sizeof(float) * 2 * (kRows + kCols);
}

// The softmax of a lane's part of the rows so far.
template <int kRowTiles>
struct RunningRows {
  float max[kRowTiles][2], total[kRowTiles][2];
};

// Takes in scores, which become exp(score - max); what was summed so far is corrected.
template <int kDim, int kRowTiles, int kCols>
__device__ __forceinline__ void take_in(float factor, float (&scores)[kRowTiles][kCols / 8][4],
                                        RunningRows<kRowTiles>& running, float (&sums)[kRowTiles][kDim / 8][4]) {
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      float max = running.max[m][h], sum = 0;
#pragma unroll
      for (int n = 0; n < kCols / 8; ++n) max = fmaxf(max, fmaxf(scores[m][n][2 * h], scores[m][n][2 * h + 1]));
      max = reduce_lanes<Maximum, 4>(max);
      const float shift = max == -INFINITY ? 0.0f : max * factor;  // nothing seen yet: all become 0
      // Exactly 1 where the maximum stays: tiles that a row does not see change nothing.
      const float correction = running.max[m][h] == max ? 1.0f : power_of_two(fmaf(running.max[m][h], factor, -shift));
#pragma unroll
      for (int n = 0; n < kCols / 8; ++n)
#pragma unroll
        for (int i = 2 * h; i < 2 * h + 2; ++i) {
          scores[m][n][i] = power_of_two(fmaf(scores[m][n][i], factor, -shift));
          sum += scores[m][n][i];
        }
      running.max[m][h] = max;
      running.total[m][h] = fmaf(running.total[m][h], correction, sum);
#pragma unroll
      for (int n = 0; n < kDim / 8; ++n)
#pragma unroll
        for (int i = 2 * h; i < 2 * h + 2; ++i) sums[m][n][i] *= correction;
    }
}

template <int kDim, int kRowTiles>
__device__ __forceinline__ void store_rows(const MmaForward& f, const Segment& s, int head, int first,
                                           const RunningRows<kRowTiles>& running,
                                           const float (&sums)[kRowTiles][kDim / 8][4]) {
  const HeadParams& p = f.params;
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m)
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const float total = reduce_lanes<Add, 4>(running.total[m][h]);
      const int i = first + m * kRowTile + h * 8 + group_of_lane();
      if (i >= s.q_len) continue;
      const bool any = visible_keys(s, p.causal, i) > 0;
      const int64_t token = s.q_begin + i;
      store_row<kDim>(sums[m], h, any ? p.dropout.keep / total : 0.0f, p.dim, false, f.pairs,
                      f.y[token] + head * p.dim);
      if (f.lse && place_of_lane() == 0)
        f.lse[token][head] = any ? fmaf(running.max[m][h], base_two_factor(p) * kLogOf2, logf(total)) : 0.0f;
    }
}

// Tiles in the order of their work where attention is causal: the last queries of a segment see most.
template <int kDim, int kRowTiles>
__global__ void __launch_bounds__(kMmaThreads) attention_mma_kernel(MmaForward f) {
  constexpr int kRows = kTileRows<kRowTiles>, kCols = kForwardCols<kDim>, kStride = kTileStride<kDim>;
  constexpr int kBuffer = kCols * kStride, kBiases = kRows + kCols;
  auto* q_tile = reinterpret_cast<uint16_t*>(dynamic_shared());
  uint16_t* k_tiles = q_tile + kRows * kStride;
  uint16_t* v_tiles = k_tiles + 2 * kBuffer;
  auto* biases = reinterpret_cast<float*>(v_tiles + 2 * kBuffer);
  const HeadParams& p = f.params;
  const int number = static_cast<int>(gridDim.x - 1 - blockIdx.x), head = number % p.heads, kv_head = head / p.group;
  const Tile tile = f.tiles[number / p.heads];
  const Segment s = f.segments[tile.segment];
  const int first = tile.first + first_row_of_warp<kRowTiles>();
  const int most = most_visible(s, p.causal, tile.first, kRows);
  const int own_most = most_visible(s, p.causal, first, kRowTile * kRowTiles);
  const auto load = [&](int k0, int buffer) {
    load_tile<kDim, kCols>(f.k, s.k_begin, k0, s.k_len, kv_head, k_tiles + buffer * kBuffer);
    load_tile<kDim, kCols>(f.v, s.k_begin, k0, s.k_len, kv_head, v_tiles + buffer * kBuffer);
    if (p.bias)
      load_biases<kBiases>(p, head, int64_t{k0} - s.q_offset - tile.first - (kRows - 1), biases + buffer * kBiases);
  };
  if (most > 0) {
    load_tile<kDim, kRows>(f.q, s.q_begin, tile.first, s.q_len, head, q_tile);
    load(0, 0);
  }
  float sums[kRowTiles][kDim / 8][4] = {};
  RunningRows<kRowTiles> running;
#pragma unroll
  for (int m = 0; m < kRowTiles; ++m) {
    running.max[m][0] = running.max[m][1] = -INFINITY;
    running.total[m][0] = running.total[m][1] = 0;
  }
  for (int k0 = 0, buffer = 0; k0 < most; k0 += kCols, buffer ^= 1) {
    wait_for_copies();
    __syncthreads();  // this tile is there, and the other buffer has been read
    if (k0 + kCols < most) load(k0 + kCols, buffer ^ 1);
    if (k0 >= own_most) continue;
    float scores[kRowTiles][kCols / 8][4] = {};
    multiply_rows<kDim, kRowTiles, kCols>(q_tile + first_row_of_warp<kRowTiles>() * kStride, k_tiles + buffer * kBuffer,
                                          scores);
    finish_scores<kRowTiles, kCols>(p, s, first, k0, biases + buffer * kBiases, scores);
    take_in<kDim, kRowTiles, kCols>(base_two_factor(p), scores, running, sums);
    if (p.dropout.active) drop_of_queries<kRowTiles, kCols>(p.dropout, s.example, head, s.q_offset + first, k0, scores);
    add_products<kDim, kRowTiles, kCols>(scores, v_tiles + buffer * kBuffer, sums);
  }
  store_rows<kDim, kRowTiles>(f, s, head, first, running, sums);
}

// y[row][head][c] = x[row][head * dim + c], zeros behind the head's channels.
struct SpreadHeads {
  Rows<const Bf16> x;
  int dim, padded;
  Rows<Bf16> y;
  __device__ void operator()(int64_t row, int64_t i) const {
    const auto head = static_cast<int>(i) / padded, c = static_cast<int>(i) % padded;
    y[row][i] = c < dim ? x[row][head * dim + c] : Bf16(0.0f);
  }
};

}  // namespace

HeadOperand::HeadOperand(CudaBackend& backend, const TensorView& x, int heads, int dim)
    : rows_{&x.as<Bf16>()->bits, x.row_stride, dim, dim} {
  if (dim % 8 == 0 && rows_aligned(x, sizeof(Words))) return;
  const int padded = (dim + 7) / 8 * 8, of_row = heads * padded;
  memory_.emplace(backend, static_cast<size_t>(x.rows() * of_row) * sizeof(Bf16));
  for_each_element(backend.stream(), x.rows(), of_row,
                   SpreadHeads{rows_of<const Bf16>(x), dim, padded, {memory_->as<Bf16>(), of_row}});
  rows_ = {memory_->as<uint16_t>(), of_row, padded, padded};
}

int row_tiles(std::span<const Segment> segments, bool queries) {
  int64_t small = 0, large = 0;
  for (const Segment& s : segments) {
    const int64_t length = queries ? s.q_len : s.k_len;
    small += (length + kTileRows<1> - 1) / kTileRows<1>;
    large += (length + kTileRows<2> - 1) / kTileRows<2>;
  }
  return 2 * large * 4 <= small * 5 ? 2 : 1;
}

bool takes_pairs(const TensorView& y, int dim) { return dim % 2 == 0 && rows_aligned(y, 2 * sizeof(Bf16)); }

bool on_tensor_cores(const TensorView& q, const AttentionParams& params) {
  return q.dtype == DType::kBF16 && params.head_dim >= 32 && params.head_dim <= kMostHeadDim && params.scale > 0;
}

void attention_on_tensor_cores(CudaBackend& backend, const TensorView& q, const TensorView& k, const TensorView& v,
                               std::span<const Segment> segments, const AttentionParams& params, const TensorView& y,
                               const TensorView& lse) {
  const HeadParams p(params);
  const int rows_per_warp = row_tiles(segments, true);
  const std::vector<Tile> tiles = make_tiles(segments, true, rows_per_warp * kTileRows<1>);
  if (tiles.empty()) return;
  const Upload arrays(backend, {std::as_bytes(segments), bytes_of(tiles)});
  const HeadOperand queries(backend, q, p.heads, p.dim), keys(backend, k, params.kv_heads, p.dim),
      values(backend, v, params.kv_heads, p.dim);
  const MmaForward f{queries.rows(),        keys.rows(),        values.rows(),
                     arrays.as<Segment>(0), arrays.as<Tile>(1), p,
                     takes_pairs(y, p.dim), rows_of<Bf16>(y),   rows_of<float>(lse)};
  with_head_dim(p.dim, [&](auto dim) {
    with_row_tiles(rows_per_warp, [&](auto tiles_of_warp) {
      constexpr int kDim = decltype(dim)::value, kRowTiles = decltype(tiles_of_warp)::value;
      launch(backend.stream(), {std::ssize(tiles) * p.heads, kMmaThreads, forward_bytes<kDim, kRowTiles>()},
             &attention_mma_kernel<kDim, kRowTiles>, f);
    });
  });
}

}  // namespace heed::cuda
