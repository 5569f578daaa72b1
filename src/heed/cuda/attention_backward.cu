// The backward of attention: probabilities are computed again from the saved log-sum-exp, tile by tile.
//
// With p = exp(scale q k^T - lse), m the dropout factors, o = (m p) v and delta = sum(o do) over head_dim:
//   dv = (m p)^T do;  dp = m (do v^T);  ds = p (dp - delta);  dq = scale ds k;  dk = scale ds^T q
// (Dao et al. 2022, appendix B.4). One kernel has a tile of keys per block and goes over the queries, for dk and dv;
// the other has a tile of queries and goes over the keys, for dq and the bias: five products become seven, and each sum
// is taken in one order. A bias gets the sum of ds over the scores that it was added to.
#include "heed/cuda/attention.h"

namespace heed::cuda {
namespace {

constexpr int kTileRows = kRowsAtOnce;  // queries or keys of a tile

struct Backward {
  Rows<const float> q, k, v, lse, dy;
  const float* delta;  // [tokens_q][heads]
  const Segment* segments;
  const Tile* tiles;
  HeadParams params;
  bool accumulate;
  Rows<float> dq, dk, dv;
  float* dbias_parts;  // [query tiles][heads][table rows], zeroed; nullptr: no bias
};

template <int kDim>
constexpr size_t backward_bytes() {
  return sizeof(float) * (4 * kTileRows * kStagedStride<kDim> + 2 * kTileRows * kScoreStride);
}

// delta[token][head] = sum(y dy), a warp each.
template <class T>
__global__ void delta_kernel(Rows<const T> y, Rows<const T> dy, int64_t tokens, int heads, int dim, float* delta) {
  const int64_t i = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (i >= tokens * heads) return;  // a whole warp
  const int64_t token = i / heads, column = i % heads * dim;
  float sum = 0;
  for (int c = lane; c < dim; c += kWarp) sum = fmaf(float(y[token][column + c]), float(dy[token][column + c]), sum);
  sum = reduce_lanes<Add>(sum);
  if (lane == 0) delta[i] = sum;
}

// The products of one row of `own` and of `own_gradient` with four rows of the others.
template <int kDim>
__device__ void products(const float* own, const float* own_gradient, const float* others, const float* other_gradients,
                         int across, float (&score)[4], float (&gradient)[4]) {
  constexpr int kStride = kStagedStride<kDim>;
#pragma unroll 2
  for (int c = 0; c < kDim; c += 4) {
    const float4 a = load_four(own + c), b = load_four(own_gradient + c);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int at = (across + kAcross * j) * kStride + c;
      score[j] = dot_four(a, load_four(others + at), score[j]);
      gradient[j] = dot_four(b, load_four(other_gradients + at), gradient[j]);
    }
  }
}

// What becomes of one score: m p and ds.
struct ScoreGradient {
  float kept, gradient;
};
__device__ ScoreGradient score_gradient(float score, float m, float dp, float lse, float delta) {
  const float prob = expf(score - lse);
  return {prob * m, prob * (m * dp - delta)};
}

// dk and dv of a tile of keys, summed over the heads that share them.
template <int kDim>
__global__ void __launch_bounds__(kThreads) attention_backward_keys_kernel(Backward b) {
  constexpr int kStride = kStagedStride<kDim>;
  __shared__ float lse[kTileRows], delta[kTileRows];
  float* k_rows = dynamic_shared();
  float* v_rows = k_rows + kTileRows * kStride;
  float* q_rows = v_rows + kTileRows * kStride;
  float* dy_rows = q_rows + kTileRows * kStride;
  float* p_rows = dy_rows + kTileRows * kStride;       // [keys][queries]
  float* ds_rows = p_rows + kTileRows * kScoreStride;  // [keys][queries]
  const HeadParams& p = b.params;
  const int kv_heads = p.heads / p.group, kv_head = static_cast<int>(blockIdx.x % kv_heads);
  const Tile tile = b.tiles[blockIdx.x / kv_heads];
  const Segment s = b.segments[tile.segment];
  const int across = static_cast<int>(threadIdx.x) % kAcross, down = static_cast<int>(threadIdx.x) / kAcross;
  const int key = tile.first + down, first = first_query_of(s, p.causal, tile.first) / kTileRows * kTileRows;
  stage<kDim, kTileRows>(b.k, s.k_begin + tile.first, s.k_len - tile.first, kv_head * p.dim, p.dim, k_rows);
  stage<kDim, kTileRows>(b.v, s.k_begin + tile.first, s.k_len - tile.first, kv_head * p.dim, p.dim, v_rows);
  float dk[kDim / kAcross] = {}, dv[kDim / kAcross] = {};
  for (int head = kv_head * p.group; head < (kv_head + 1) * p.group; ++head) {
    for (int i0 = first; i0 < s.q_len; i0 += kTileRows) {
      __syncthreads();  // the tile before has been read
      stage<kDim, kTileRows>(b.q, s.q_begin + i0, s.q_len - i0, head * p.dim, p.dim, q_rows);
      stage<kDim, kTileRows>(b.dy, s.q_begin + i0, s.q_len - i0, head * p.dim, p.dim, dy_rows);
      if (threadIdx.x < kTileRows && i0 + static_cast<int>(threadIdx.x) < s.q_len) {
        const int64_t token = s.q_begin + i0 + static_cast<int>(threadIdx.x);
        lse[threadIdx.x] = b.lse[token][head];
        delta[threadIdx.x] = b.delta[token * p.heads + head];
      }
      __syncthreads();
      float score[4] = {}, gradient[4] = {}, factors[4] = {1, 1, 1, 1};
      products<kDim>(k_rows + down * kStride, v_rows + down * kStride, q_rows, dy_rows, across, score, gradient);
      const int first_query = s.q_offset + i0;
      if (p.dropout.active) {
        const KeptQueries kept(p.dropout, s.example, head, first_query, key);
#pragma unroll
        for (int j = 0; j < 4; ++j) factors[j] = kept.factor(first_query + across + kAcross * j);
      }
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int row = across + kAcross * j, i = i0 + row;
        ScoreGradient g{0, 0};
        if (i < s.q_len && key < visible_keys(s, p.causal, i))
          g = score_gradient(p.score(score[j], head, first_query + row, key), factors[j], gradient[j], lse[row],
                             delta[row]);
        p_rows[down * kScoreStride + row] = g.kept;
        ds_rows[down * kScoreStride + row] = g.gradient;
      }
      __syncwarp();  // a row of p and ds is written and read by the same warp
      add_rows<kDim>(p_rows + down * kScoreStride, dy_rows, across, dv);
      add_rows<kDim>(ds_rows + down * kScoreStride, q_rows, across, dk);
    }
  }
  if (key >= s.k_len) return;
  store_head<kDim>(dk, p.scale, across, p.dim, b.accumulate, b.dk[s.k_begin + key] + kv_head * p.dim);
  store_head<kDim>(dv, 1, across, p.dim, b.accumulate, b.dv[s.k_begin + key] + kv_head * p.dim);
}

// Adds a tile of ds to the table rows of its distances: a thread sums a diagonal, then a thread a table row. `base` is
// the distance from the tile's first query to its first key.
__device__ void add_bias_gradient(const float* ds_rows, int64_t base, int reach, float* part) {
  constexpr int kDiagonals = 2 * kTileRows - 1;
  __shared__ float diagonals[kDiagonals];
  const int t = static_cast<int>(threadIdx.x);
  __syncthreads();  // all of ds is there
  if (t < kDiagonals) {
    float sum = 0;
    for (int r = 0; r < kTileRows; ++r) {
      const int c = r + t - (kTileRows - 1);
      if (c >= 0 && c < kTileRows) sum += ds_rows[r * kScoreStride + c];
    }
    diagonals[t] = sum;
  }
  __syncthreads();
  const auto row_of = [&](int diagonal) { return bias_row(reach, base + diagonal - (kTileRows - 1)); };
  const int row = row_of(0) + t;
  if (row <= row_of(kDiagonals - 1)) {
    float sum = 0;
    for (int d = 0; d < kDiagonals; ++d)
      if (row_of(d) == row) sum += diagonals[d];
    part[row] += sum;
  }
}

// dq of a tile of queries, and its part of the bias's gradient.
template <int kDim>
__global__ void __launch_bounds__(kThreads) attention_backward_queries_kernel(Backward b) {
  constexpr int kStride = kStagedStride<kDim>;
  float* q_rows = dynamic_shared();
  float* dy_rows = q_rows + kTileRows * kStride;
  float* k_rows = dy_rows + kTileRows * kStride;
  float* v_rows = k_rows + kTileRows * kStride;
  float* ds_rows = v_rows + kTileRows * kStride;  // [queries][keys]
  const HeadParams& p = b.params;
  const int64_t tile_number = blockIdx.x / p.heads;
  const Tile tile = b.tiles[tile_number];
  const int head = static_cast<int>(blockIdx.x % p.heads), column = head / p.group * p.dim;
  const Segment s = b.segments[tile.segment];
  const int across = static_cast<int>(threadIdx.x) % kAcross, down = static_cast<int>(threadIdx.x) / kAcross;
  const int i = tile.first + down, last = tile.first + kTileRows < s.q_len ? tile.first + kTileRows : s.q_len;
  const int most = visible_keys(s, p.causal, last - 1), visible = i < s.q_len ? visible_keys(s, p.causal, i) : 0;
  const int64_t token = s.q_begin + i;
  stage<kDim, kTileRows>(b.q, s.q_begin + tile.first, s.q_len - tile.first, head * p.dim, p.dim, q_rows);
  stage<kDim, kTileRows>(b.dy, s.q_begin + tile.first, s.q_len - tile.first, head * p.dim, p.dim, dy_rows);
  const float lse = i < s.q_len ? b.lse[token][head] : 0.0f;
  const float delta = i < s.q_len ? b.delta[token * p.heads + head] : 0.0f;
  float dq[kDim / kAcross] = {};
  for (int k0 = 0; k0 < most; k0 += kTileRows) {
    __syncthreads();  // the tile before has been read
    stage<kDim, kTileRows>(b.k, s.k_begin + k0, s.k_len - k0, column, p.dim, k_rows);
    stage<kDim, kTileRows>(b.v, s.k_begin + k0, s.k_len - k0, column, p.dim, v_rows);
    __syncthreads();
    float score[4] = {}, gradient[4] = {}, factors[4] = {1, 1, 1, 1};
    products<kDim>(q_rows + down * kStride, dy_rows + down * kStride, k_rows, v_rows, across, score, gradient);
    if (p.dropout.active) {
      constexpr int kOfWarp = kWarp / kAcross;  // queries
      const int first = s.q_offset + tile.first + down / kOfWarp * kOfWarp;
      const KeptKeys kept(p.dropout, s.example, head, first, first + kOfWarp - 1, k0);
#pragma unroll
      for (int j = 0; j < 4; ++j) factors[j] = kept.factor(s.q_offset + i, across + kAcross * j);
    }
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int row = across + kAcross * j, key = k0 + row;
      ScoreGradient g{0, 0};
      if (key < visible)
        g = score_gradient(p.score(score[j], head, s.q_offset + i, key), factors[j], gradient[j], lse, delta);
      ds_rows[down * kScoreStride + row] = g.gradient;
    }
    __syncwarp();  // a row of ds is written and read by the same warp
    add_rows<kDim>(ds_rows + down * kScoreStride, k_rows, across, dq);
    if (b.dbias_parts)
      add_bias_gradient(ds_rows, int64_t{k0} - s.q_offset - tile.first, p.reach,
                        b.dbias_parts + (tile_number * p.heads + head) * (2 * p.reach + 1));
  }
  if (i < s.q_len) store_head<kDim>(dq, p.scale, across, p.dim, b.accumulate, b.dq[token] + head * p.dim);
}

// dbias[segment][row * heads + head] = the sum of the segment's tiles' parts, in order.
struct SumBiasParts {
  const float* parts;
  const int32_t* ends;  // of the segments' tiles
  int heads;
  int64_t table_rows;
  Rows<float> dbias;
  __device__ void operator()(int64_t segment, int64_t i) const {
    const int64_t row = i / heads, head = i % heads;
    float sum = 0;
    for (int64_t tile = segment == 0 ? 0 : ends[segment - 1]; tile < ends[segment]; ++tile)
      sum += parts[(tile * heads + head) * table_rows + row];
    dbias[segment][i] = sum;
  }
};

void launch_backward(CudaBackend& backend, const BackwardCall& call) {
  const HeadParams& p = call.params;
  Backward b{rows_of<const float>(call.q),
             rows_of<const float>(call.k),
             rows_of<const float>(call.v),
             rows_of<const float>(call.lse),
             rows_of<const float>(call.dy),
             call.delta,
             call.segments,
             call.key_tiles,
             p,
             call.accumulate,
             rows_of<float>(call.dq),
             rows_of<float>(call.dk),
             rows_of<float>(call.dv),
             call.dbias_parts};
  with_head_dim(p.dim, [&](auto dim) {
    constexpr int kDim = decltype(dim)::value;
    launch(backend.stream(), {call.key_tile_count * (p.heads / p.group), kThreads, backward_bytes<kDim>()},
           &attention_backward_keys_kernel<kDim>, b);
    b.tiles = call.query_tiles;
    launch(backend.stream(), {call.query_tile_count * p.heads, kThreads, backward_bytes<kDim>()},
           &attention_backward_queries_kernel<kDim>, b);
  });
}

}  // namespace

void CudaBackend::attention_backward(const TensorView& q, const TensorView& k, const TensorView& v, const TensorView& y,
                                     const TensorView& lse, const TensorView& dy, std::span<const Segment> segments,
                                     const AttentionParams& params, bool accumulate, const TensorView& dq,
                                     const TensorView& dk, const TensorView& dv, const TensorView& dbias) {
  const HeadParams p(params);
  if (segments.empty()) return;
  const bool rounded = on_tensor_cores(q, params);
  if (q.dtype == DType::kBF16 && !rounded) {
    const ExactCopies x(*this, {q, k, v, y, dy});
    const ExactResult results[] = {{*this, dq}, {*this, dk}, {*this, dv}};
    attention_backward(x[0], x[1], x[2], x[3], lse, x[4], segments, params, accumulate, results[0].view(),
                       results[1].view(), results[2].view(), dbias);
    for (const ExactResult& result : results) result.give_back();
    return;
  }
  const BackwardTiles sizes =
      rounded ? backward_tiles_on_tensor_cores(segments, p.dim) : BackwardTiles{kTileRows, kTileRows};
  std::vector<int32_t> ends;
  const std::vector<Tile> query_tiles = make_tiles(segments, true, sizes.queries, &ends);
  const std::vector<Tile> key_tiles = make_tiles(segments, false, sizes.keys);
  const Upload arrays(*this, {std::as_bytes(segments), bytes_of(query_tiles), bytes_of(key_tiles), bytes_of(ends)});
  const int64_t tokens = q.rows(), table_rows = 2 * int64_t{p.reach} + 1;
  const Scratch delta(*this, static_cast<size_t>(tokens * p.heads) * sizeof(float));
  with_element(dy, [&](auto element) {
    using T = decltype(element);
    launch(stream(), {(tokens * p.heads * kWarp + kThreads - 1) / kThreads}, &delta_kernel<T>, rows_of<const T>(y),
           rows_of<const T>(dy), tokens, p.heads, p.dim, delta.as<float>());
  });
  const int64_t part_count = dbias ? std::ssize(query_tiles) * p.heads * table_rows : 0;
  const Scratch parts(*this, static_cast<size_t>(part_count) * sizeof(float));
  if (part_count > 0) fill({parts.as<void>(), DType::kF32, {part_count}, part_count}, 0);

  const BackwardCall call{q,
                          k,
                          v,
                          lse,
                          dy,
                          dq,
                          dk,
                          dv,
                          segments,
                          arrays.as<Segment>(0),
                          arrays.as<Tile>(1),
                          arrays.as<Tile>(2),
                          std::ssize(query_tiles),
                          std::ssize(key_tiles),
                          p,
                          accumulate,
                          delta.as<float>(),
                          part_count > 0 ? parts.as<float>() : nullptr};
  if (rounded) attention_backward_on_tensor_cores(*this, call, sizes);
  else launch_backward(*this, call);
  if (dbias)
    for_each_element(
        stream(), std::ssize(segments), table_rows * p.heads,
        SumBiasParts{parts.as<float>(), arrays.as<int32_t>(3), p.heads, table_rows, rows_of<float>(dbias)});
}

}  // namespace heed::cuda
