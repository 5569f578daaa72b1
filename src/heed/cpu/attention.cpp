// Scaled dot-product attention, forward (Vaswani et al. 2017, equation 1), a segment and a head at a time.
//
// For a block of queries: scores (a small product with the transposed keys), softmax in place, dropout, and the product
// with the values. A block of [queries, keys] is all that is ever stored of the probabilities.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "heed/cpu/attention.cpp"
#include <hwy/foreach_target.h>  // must come first: it includes this file once per instruction set

#include "heed/base/threads.h"
#include "heed/cpu/attention-inl.h"
#include "heed/cpu/attention_args.h"
#include "heed/cpu/cpu_backend.h"

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {

// One head of one segment; keys [H][Tp], values [T][Hp], scores for kQueryBlock queries.
HWY_INLINE void attend_head(const AttentionForward& f, const Segment& s, int head, const float* keys,
                            const float* values, float* scores) {
  const AttentionParams& p = f.params;
  const int64_t dim = p.head_dim, padded_dim = round_up(dim), padded_keys = round_up(s.k_len);
  for (int64_t i = 0; i < s.q_len; i += kQueryBlock) {
    const int64_t queries = std::min(kQueryBlock, s.q_len - i);
    const int64_t most = visible_keys(s, p.causal, i + queries - 1), padded_most = round_up(most);
    const MatrixA q{f.q.row<float>(s.q_begin + i) + head * dim, f.q.row_stride, 1};
    multiply_small(q, queries, keys, padded_keys, dim, scores, padded_keys, padded_most, p.scale, false);
    for (int64_t r = 0; r < queries; ++r) {
      float* row = scores + r * padded_keys;
      const float lse = softmax_scores(row, visible_keys(s, p.causal, i + r), padded_most);
      if (f.lse) f.lse.row<float>(s.q_begin + i + r)[head] = lse;
      if (p.dropout.active()) drop_row(p.dropout, s, head, i + r, padded_most, row);
    }
    float* y = f.y.row<float>(s.q_begin + i) + head * dim;
    multiply_small({scores, padded_keys, 1}, queries, values, padded_dim, most, y, f.y.row_stride, dim, 1, false);
  }
}

void attention(const AttentionForward& f, std::span<const Segment> segments) {
  const AttentionParams& p = f.params;
  const int group = p.heads / p.kv_heads;
  const int64_t dim = p.head_dim, padded_dim = round_up(dim);
  const auto tasks = static_cast<int64_t>(segments.size()) * p.kv_heads;
  parallel_for(tasks, 4, [&](int64_t begin, int64_t end, int) HWY_ATTR {
    static thread_local Scratch scratch;
    for (int64_t task = begin; task < end; ++task) {
      const Segment& s = segments[static_cast<size_t>(task / p.kv_heads)];
      const int64_t kv_head = task % p.kv_heads, padded_keys = round_up(s.k_len);
      const auto [keys, values, scores] =
          scratch.take<3>({dim * padded_keys, s.k_len * padded_dim, kQueryBlock * padded_keys});
      stage_transposed(f.k.row<float>(s.k_begin) + kv_head * dim, f.k.row_stride, s.k_len, dim, padded_keys, keys);
      stage(f.v.row<float>(s.k_begin) + kv_head * dim, f.v.row_stride, s.k_len, dim, padded_dim, values);
      for (int h = 0; h < group; ++h) attend_head(f, s, static_cast<int>(kv_head) * group + h, keys, values, scores);
    }
  });
}

void attention_probabilities(const TensorView& q, const TensorView& k, const Segment& s, int head,
                             const AttentionParams& p, const TensorView& probabilities) {
  const int64_t dim = p.head_dim, padded_keys = round_up(s.k_len);
  std::vector<float> keys(static_cast<size_t>(dim * padded_keys)), scores(static_cast<size_t>(s.q_len * padded_keys));
  const int64_t kv_head = head / (p.heads / p.kv_heads);
  stage_transposed(k.row<float>(s.k_begin) + kv_head * dim, k.row_stride, s.k_len, dim, padded_keys, keys.data());
  multiply_small({q.row<float>(s.q_begin) + head * dim, q.row_stride, 1}, s.q_len, keys.data(), padded_keys, dim,
                 scores.data(), padded_keys, padded_keys, p.scale, false);
  for (int64_t i = 0; i < s.q_len; ++i) {
    float* row = scores.data() + i * padded_keys;
    softmax_scores(row, visible_keys(s, p.causal, i), padded_keys);
    std::copy_n(row, s.k_len, probabilities.row<float>(i));
  }
}

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::cpu {
namespace {
HWY_EXPORT(attention);
HWY_EXPORT(attention_probabilities);
}  // namespace

void CpuBackend::attention(const TensorView& q, const TensorView& k, const TensorView& v,
                           std::span<const Segment> segments, const AttentionParams& params, const TensorView& y,
                           const TensorView& lse) {
  HWY_DYNAMIC_DISPATCH(attention)({q, k, v, y, lse, params}, segments);
}
void CpuBackend::attention_probabilities(const TensorView& q, const TensorView& k, const Segment& segment, int head,
                                         const AttentionParams& params, const TensorView& probabilities) {
  HWY_DYNAMIC_DISPATCH(attention_probabilities)(q, k, segment, head, params, probabilities);
}

}  // namespace heed::cpu
#endif
