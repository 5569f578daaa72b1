// Attention of one new query per row over cached keys and values, which a table finds: a beam that changed its history
// only changed the table.
//
// A block has a row's head; its four warps take four keys each in turn, which are on their way together, each warp with
// a softmax of its own, and are put together in order at the end. So a row's result depends on head_dim and the number
// of keys alone.
#include "heed/cuda/attention.h"

namespace heed::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kKeys = 4;  // of a warp at a time

struct Cached {
  Rows<const float> q, keys, values;
  Rows<const int32_t> table;
  const int32_t* lengths;
  HeadParams params;
  Rows<float> y;
};

// kPerLane: channels of a lane, 32 apart.
template <int kPerLane>
__global__ void __launch_bounds__(kWarps* kWarp) attention_cached_kernel(Cached f) {
  __shared__ float maxima[kWarps], totals[kWarps], sums[kWarps][kPerLane * kWarp];
  const HeadParams& p = f.params;
  const int64_t row = blockIdx.x / p.heads;
  const int head = static_cast<int>(blockIdx.x % p.heads), column = head / p.group * p.dim;
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int length = f.lengths[row];
  const int32_t* at = f.table[row];
  float query[kPerLane], acc[kPerLane] = {}, max = -INFINITY, total = 0;
#pragma unroll
  for (int i = 0; i < kPerLane; ++i) {
    const int c = lane + kWarp * i;
    query[i] = c < p.dim ? f.q[row][head * p.dim + c] : 0.0f;
  }
  for (int first = warp * kKeys; first < length; first += kWarps * kKeys) {
    float keys[kKeys][kPerLane], values[kKeys][kPerLane], scores[kKeys];
#pragma unroll
    for (int j = 0; j < kKeys; ++j) {
      const int32_t place = at[first + j < length ? first + j : length - 1];
#pragma unroll
      for (int i = 0; i < kPerLane; ++i) {
        const int c = lane + kWarp * i;
        keys[j][i] = c < p.dim ? f.keys[place][column + c] : 0.0f;
        values[j][i] = c < p.dim ? f.values[place][column + c] : 0.0f;
      }
    }
    float larger = max;
#pragma unroll
    for (int j = 0; j < kKeys; ++j) {
      float product = 0;
#pragma unroll
      for (int i = 0; i < kPerLane; ++i) product = fmaf(query[i], keys[j][i], product);
      product = reduce_lanes<Add>(product);
      scores[j] = first + j < length ? p.score(product, head, length - 1, first + j) : -INFINITY;
      larger = fmaxf(larger, scores[j]);
    }
    const float correction = expf(max - larger);
    max = larger;
    total *= correction;
#pragma unroll
    for (int i = 0; i < kPerLane; ++i) acc[i] *= correction;
#pragma unroll
    for (int j = 0; j < kKeys; ++j) {
      const float weight = expf(scores[j] - larger);
      total += weight;
#pragma unroll
      for (int i = 0; i < kPerLane; ++i) acc[i] = fmaf(weight, values[j][i], acc[i]);
    }
  }
  if (lane == 0) {
    maxima[warp] = max;
    totals[warp] = total;
  }
#pragma unroll
  for (int i = 0; i < kPerLane; ++i) sums[warp][lane + kWarp * i] = acc[i];
  __syncthreads();
  float largest = -INFINITY, all = 0;
  for (const float m : maxima) largest = fmaxf(largest, m);
  if (length > 0)
    for (int w = 0; w < kWarps; ++w) all = fmaf(totals[w], expf(maxima[w] - largest), all);
  for (int c = static_cast<int>(threadIdx.x); c < p.dim; c += kWarps * kWarp) {
    float sum = 0;
    if (length > 0)
      for (int w = 0; w < kWarps; ++w) sum = fmaf(sums[w][c], expf(maxima[w] - largest), sum);
    f.y[row][head * p.dim + c] = length > 0 ? sum / all : 0.0f;
  }
}

}  // namespace

void CudaBackend::attention_cached(const TensorView& q, const TensorView& keys, const TensorView& values,
                                   const CachedKeys& places, const AttentionParams& params, const TensorView& y) {
  const HeadParams p(params);
  if (q.rows() == 0) return;
  const Cached f{rows_of<const float>(q),
                 rows_of<const float>(keys),
                 rows_of<const float>(values),
                 rows_of<const int32_t>(places.table),
                 places.lengths.as<int32_t>(),
                 p,
                 rows_of<float>(y)};
  with_head_dim(p.dim, [&](auto dim) {
    constexpr int kDim = decltype(dim)::value;
    launch(stream(), {q.rows() * p.heads, kWarps * kWarp}, &attention_cached_kernel<kDim / kWarp>, f);
  });
}

}  // namespace heed::cuda
