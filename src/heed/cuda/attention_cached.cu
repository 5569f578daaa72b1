// Attention of one new query per row over cached keys and values, which a table finds: a beam that changed its history
// only changed the table.
//
// A block has a row's head; its four warps take keys in turn, each with a softmax of its own, and are put together in
// order at the end. So a row's result depends on head_dim and the number of keys alone.
#include "heed/cuda/attention.h"

namespace heed::cuda {
namespace {

constexpr int kWarps = 4;

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
  for (int t = warp; t < length; t += kWarps) {
    const float *key = f.keys[at[t]] + column, *value = f.values[at[t]] + column;
    float product = 0;
#pragma unroll
    for (int i = 0; i < kPerLane; ++i) {
      const int c = lane + kWarp * i;
      if (c < p.dim) product = fmaf(query[i], key[c], product);
    }
    const float score = p.score(reduce_lanes<Add>(product), head, length - 1, t);
    const float larger = fmaxf(max, score), correction = expf(max - larger), weight = expf(score - larger);
    max = larger;
    total = fmaf(total, correction, weight);
#pragma unroll
    for (int i = 0; i < kPerLane; ++i) {
      const int c = lane + kWarp * i;
      if (c < p.dim) acc[i] = fmaf(weight, value[c], acc[i] * correction);
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
