// Scaled dot-product attention, forward (Vaswani et al. 2017, equation 1), in one pass over tiles of keys: the softmax
// is kept up to date as they come (Milakov and Gimelshein 2018), so no [time, time] matrix is stored.
#include "heed/cuda/attention.h"

namespace heed::cuda {
namespace {

constexpr int kRowsOfThread = 2;
constexpr int kQueries = kRowsOfThread * kRowsAtOnce, kKeys = kRowsAtOnce;  // of a tile

struct Forward {
  Rows<const float> q, k, v;
  const Segment* segments;
  const Tile* tiles;
  HeadParams params;
  Rows<float> y, lse;
};

template <int kDim>
constexpr size_t forward_bytes() {
  return sizeof(float) * ((kQueries + 2 * kKeys) * kStagedStride<kDim> + kQueries * kScoreStride);
}

// One row's softmax so far.
struct Running {
  float max = -INFINITY, total = 0;
};

// Takes in the four scores of this thread and those of its neighbours, which become exp(score - max), or 0 if none of
// the tile's keys is `visible` to the row; returns what the sums so far are to be multiplied by. NaN stays NaN.
__device__ float take_in(bool visible, float (&scores)[4], Running& running) {
  float max = fmaxf(fmaxf(scores[0], scores[1]), fmaxf(scores[2], scores[3]));
  max = fmaxf(running.max, reduce_lanes<Maximum, kAcross>(max));
  float sum = 0;
  for (float& s : scores) {
    s = visible ? expf(s - max) : 0.0f;
    sum += s;
  }
  sum = reduce_lanes<Add, kAcross>(sum);  // by all lanes of the warp, whatever their rows see
  if (!visible) return 1;
  const float correction = expf(running.max - max);
  running.total = fmaf(running.total, correction, sum);
  running.max = max;
  return correction;
}

template <int kDim>
__global__ void __launch_bounds__(kThreads) attention_kernel(Forward f) {
  constexpr int kStride = kStagedStride<kDim>;
  float* q_rows = dynamic_shared();
  float* k_rows = q_rows + kQueries * kStride;
  float* v_rows = k_rows + kKeys * kStride;
  float* p_rows = v_rows + kKeys * kStride;  // [kQueries][kScoreStride]
  const HeadParams& p = f.params;
  const Tile tile = f.tiles[blockIdx.x / p.heads];
  const int head = static_cast<int>(blockIdx.x % p.heads), column = head / p.group * p.dim;
  const Segment s = f.segments[tile.segment];
  const int across = static_cast<int>(threadIdx.x) % kAcross, down = static_cast<int>(threadIdx.x) / kAcross;
  const int queries = s.q_len - tile.first < kQueries ? s.q_len - tile.first : kQueries;
  const int most = visible_keys(s, p.causal, tile.first + queries - 1);
  stage<kDim, kQueries>(f.q, s.q_begin + tile.first, queries, head * p.dim, p.dim, q_rows);

  float acc[kRowsOfThread][kDim / kAcross] = {};
  Running running[kRowsOfThread];
  for (int k0 = 0; k0 < most; k0 += kKeys) {
    __syncthreads();  // the tile before has been read
    stage<kDim, kKeys>(f.k, s.k_begin + k0, s.k_len - k0, column, p.dim, k_rows);
    stage<kDim, kKeys>(f.v, s.k_begin + k0, s.k_len - k0, column, p.dim, v_rows);
    __syncthreads();
    float scores[kRowsOfThread][4] = {};
#pragma unroll 4
    for (int c = 0; c < kDim; c += 4) {
      float4 keys[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) keys[j] = load_four(k_rows + (across + kAcross * j) * kStride + c);
#pragma unroll
      for (int r = 0; r < kRowsOfThread; ++r) {
        const float4 query = load_four(q_rows + (kRowsOfThread * down + r) * kStride + c);
#pragma unroll
        for (int j = 0; j < 4; ++j) scores[r][j] = dot_four(query, keys[j], scores[r][j]);
      }
    }
#pragma unroll
    for (int r = 0; r < kRowsOfThread; ++r) {
      const int row = kRowsOfThread * down + r, i = tile.first + row;
      const int visible = row < queries ? visible_keys(s, p.causal, i) : 0, query = s.q_offset + i;
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int key = k0 + across + kAcross * j;
        scores[r][j] = key < visible ? p.score(scores[r][j], head, query, key) : -INFINITY;
      }
      const float correction = take_in(k0 < visible, scores[r], running[r]);
#pragma unroll
      for (int c = 0; c < kDim / kAcross; ++c) acc[r][c] *= correction;
    }
    const int first_query = s.q_offset + tile.first;
    if (p.dropout.active) {
      constexpr int kOfWarp = kRowsOfThread * kWarp / kAcross;  // queries
      const int first = first_query + kRowsOfThread * down / kOfWarp * kOfWarp;
      const KeptKeys kept(p.dropout, s.example, head, first, first + kOfWarp - 1, k0);
#pragma unroll
      for (int r = 0; r < kRowsOfThread; ++r)
#pragma unroll
        for (int j = 0; j < 4; ++j)
          scores[r][j] *= kept.factor(first_query + kRowsOfThread * down + r, across + kAcross * j);
    }
#pragma unroll
    for (int r = 0; r < kRowsOfThread; ++r)
#pragma unroll
      for (int j = 0; j < 4; ++j)
        p_rows[(kRowsOfThread * down + r) * kScoreStride + across + kAcross * j] = scores[r][j];
    __syncwarp();  // a row of p is written and read by the same warp
#pragma unroll
    for (int r = 0; r < kRowsOfThread; ++r)
      add_rows<kDim>(p_rows + (kRowsOfThread * down + r) * kScoreStride, v_rows, across, acc[r]);
  }
  for (int r = 0; r < kRowsOfThread; ++r) {
    const int row = kRowsOfThread * down + r;
    if (row >= queries) continue;
    const int64_t token = s.q_begin + tile.first + row;
    const bool any = visible_keys(s, p.causal, tile.first + row) > 0;
    store_head<kDim>(acc[r], any ? 1.0f / running[r].total : 0.0f, across, p.dim, false, f.y[token] + head * p.dim);
    if (f.lse && across == 0) f.lse[token][head] = any ? running[r].max + logf(running[r].total) : 0.0f;
  }
}

// A query's probabilities, a block each.
__global__ void probabilities_kernel(Rows<const float> q, Rows<const float> k, Segment s, int head, HeadParams p,
                                     Rows<float> probabilities) {
  const int i = static_cast<int>(blockIdx.x), visible = visible_keys(s, p.causal, i);
  const float* query = q[s.q_begin + i] + head * p.dim;
  float* out = probabilities[i];
  float max = -INFINITY, sum = 0;
  for (int j = static_cast<int>(threadIdx.x); j < visible; j += static_cast<int>(blockDim.x)) {
    const float* key = k[s.k_begin + j] + head / p.group * p.dim;
    float product = 0;
    for (int c = 0; c < p.dim; ++c) product = fmaf(query[c], key[c], product);
    out[j] = p.score(product, head, s.q_offset + i, j);
    max = fmaxf(max, out[j]);
  }
  max = reduce_block<Maximum>(max);
  for (int j = static_cast<int>(threadIdx.x); j < visible; j += static_cast<int>(blockDim.x)) sum += expf(out[j] - max);
  sum = reduce_block<Add>(sum);
  for (int j = static_cast<int>(threadIdx.x); j < s.k_len; j += static_cast<int>(blockDim.x))
    out[j] = j < visible ? expf(out[j] - max) / sum : 0.0f;
}

}  // namespace

void CudaBackend::attention(const TensorView& q, const TensorView& k, const TensorView& v,
                            std::span<const Segment> segments, const AttentionParams& params, const TensorView& y,
                            const TensorView& lse) {
  if (on_tensor_cores(q, params)) return attention_on_tensor_cores(*this, q, k, v, segments, params, y, lse);
  if (q.dtype == DType::kBF16) {
    const ExactCopies x(*this, {q, k, v});
    const ExactResult result(*this, y);
    attention(x[0], x[1], x[2], segments, params, result.view(), lse);
    return result.give_back();
  }
  const HeadParams p(params);
  const std::vector<Tile> tiles = make_tiles(segments, true, kQueries);
  if (tiles.empty()) return;
  const Upload arrays(*this, {std::as_bytes(segments), bytes_of(tiles)});
  const Forward f{rows_of<const float>(q), rows_of<const float>(k), rows_of<const float>(v),
                  arrays.as<Segment>(0),   arrays.as<Tile>(1),      p,
                  rows_of<float>(y),       rows_of<float>(lse)};
  with_head_dim(p.dim, [&](auto dim) {
    constexpr int kDim = decltype(dim)::value;
    launch(stream(), {std::ssize(tiles) * p.heads, kThreads, forward_bytes<kDim>()}, &attention_kernel<kDim>, f);
  });
}

void CudaBackend::attention_probabilities(const TensorView& q, const TensorView& k, const Segment& segment, int head,
                                          const AttentionParams& params, const TensorView& probabilities) {
  launch(stream(), {segment.q_len, threads_for(segment.k_len)}, &probabilities_kernel, rows_of<const float>(q),
         rows_of<const float>(k), segment, head, HeadParams(params), rows_of<float>(probabilities));
}

}  // namespace heed::cuda
