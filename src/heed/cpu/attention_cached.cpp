// Attention of one new query per row over cached keys and values, which a table finds: a beam that changed its history
// only changed the table.
//
// The floor is reading the keys and values once. Scores of all heads of a key are taken while its row is in registers'
// reach; the order of additions depends on head_dim and the number of keys alone.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "heed/cpu/attention_cached.cpp"
#include <hwy/foreach_target.h>  // must come first: it includes this file once per instruction set

#include <vector>

#include "heed/base/threads.h"
#include "heed/cpu/attention-inl.h"
#include "heed/cpu/attention_args.h"
#include "heed/cpu/cpu_backend.h"

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {

HWY_INLINE void add_biases(const DistanceBias& bias, int64_t heads, int64_t keys, int64_t padded, float* scores) {
  for (int64_t t = 0; t < keys; ++t) {
    const float* row = bias.table.row<float>(bias.reach() + std::max(t - (keys - 1), -bias.reach()));
    for (int64_t h = 0; h < heads; ++h) scores[h * padded + t] += row[h];
  }
}

// One row of queries, all heads: scores [heads][padded keys].
HWY_INLINE void attend_row(const AttentionCached& f, int64_t row, float* scores) {
  const FloatTag d;
  const AttentionParams& p = f.params;
  const int64_t lanes = lane_count(), dim = p.head_dim, keys = f.places.lengths.as<int32_t>()[row];
  const int64_t padded = round_up(keys), group = p.heads / p.kv_heads;
  const int32_t* at = f.places.table.row<int32_t>(row);
  const float* q = f.q.row<float>(row);
  for (int64_t t = 0; t < keys; ++t) {
    const float* key = f.keys.row<float>(at[t]);
    for (int64_t h = 0; h < p.heads; ++h) {
      FloatVec sum = hn::Zero(d);
      for (int64_t c = 0; c < dim; c += lanes)
        sum = hn::MulAdd(load(q + h * dim + c, dim - c), load(key + h / group * dim + c, dim - c), sum);
      scores[h * padded + t] = p.scale * sum_lanes(sum);
    }
  }
  if (p.bias.table) add_biases(p.bias, p.heads, keys, padded, scores);
  float* y = f.y.row<float>(row);
  for (int64_t h = 0; h < p.heads; ++h) {
    softmax_scores(scores + h * padded, keys, padded);
    for (int64_t c = 0; c < dim; c += lanes) {
      FloatVec sum = hn::Zero(d);
      for (int64_t t = 0; t < keys; ++t)
        sum = hn::MulAdd(hn::Set(d, scores[h * padded + t]),
                         load(f.values.row<float>(at[t]) + h / group * dim + c, dim - c), sum);
      store(sum, y + h * dim + c, dim - c);
    }
  }
}

void attention_cached(const AttentionCached& f) {
  parallel_for(f.q.rows(), 8, [&](int64_t begin, int64_t end, int) HWY_ATTR {
    static thread_local Scratch scratch;
    for (int64_t row = begin; row < end; ++row) {
      const auto [scores] = scratch.take<1>({f.params.heads * round_up(f.places.lengths.as<int32_t>()[row])});
      attend_row(f, row, scores);
    }
  });
}

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::cpu {
namespace {
HWY_EXPORT(attention_cached);
}  // namespace

void CpuBackend::attention_cached(const TensorView& q, const TensorView& keys, const TensorView& values,
                                  const CachedKeys& places, const AttentionParams& params, const TensorView& y) {
  HWY_DYNAMIC_DISPATCH(attention_cached)({q, keys, values, y, places, params});
}

}  // namespace heed::cpu
#endif
