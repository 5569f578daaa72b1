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

// Scratch of one head of one segment: keys [H][Tp], values [T][Hp], scores and dropout factors of a block of queries,
// and biases.
struct Buffers {
  float *keys, *values, *scores, *factors, *biases;
};

HWY_INLINE void drop_block(const Dropout& dropout, const Segment& s, int head, int64_t first, int64_t queries,
                           int64_t stride, int64_t padded, const Buffers& b) {
  const FloatTag d;
  for (int64_t r = 0; r < queries; ++r) {
    const int64_t query = s.q_offset + first + r, in_block = query % DropoutTile::kQueries;
    if (r == 0 || in_block == 0) DropoutTile::draw(dropout, s, head, query / DropoutTile::kQueries, padded, b.factors);
    float* row = b.scores + r * stride;
    const float* factors = b.factors + in_block * padded;
    for (int64_t c = 0; c < padded; c += lane_count())
      hn::StoreU(hn::Mul(hn::LoadU(d, row + c), hn::LoadU(d, factors + c)), d, row + c);
  }
}

// lse[i][head] = max + log(total) for a block of queries, logarithms by vectors.
HWY_INLINE void store_log_sums(const AttentionForward& f, int64_t row, int head, int64_t queries, const float* max,
                               float* total) {
  const FloatTag d;
  for (int64_t i = 0; i < queries; i += lane_count()) hn::StoreU(hn::Log(d, hn::LoadU(d, total + i)), d, total + i);
  for (int64_t i = 0; i < queries; ++i) f.lse.row<float>(row + i)[head] = max[i] + total[i];
}

HWY_INLINE void attend_head(const AttentionForward& f, const Segment& s, int head, const Buffers& b) {
  const AttentionParams& p = f.params;
  const int64_t dim = p.head_dim, padded_dim = round_up(dim), padded_keys = round_up(s.k_len);
  alignas(64) float max[kQueryBlock + 16], total[kQueryBlock + 16];
  std::fill_n(total, kQueryBlock + 16, 1.0f);
  const BiasRows biases(p.bias, s, b.biases);
  if (p.bias.table) biases.load(head);
  for (int64_t i = 0; i < s.q_len; i += kQueryBlock) {
    const int64_t queries = std::min(kQueryBlock, s.q_len - i);
    const int64_t most = visible_keys(s, p.causal, i + queries - 1), padded_most = round_up(most);
    const MatrixA q{f.q.row<float>(s.q_begin + i) + head * dim, f.q.row_stride, 1};
    multiply_small(q, queries, b.keys, padded_keys, dim, b.scores, padded_keys, padded_most, p.scale, false);
    for (int64_t r = 0; r < queries; ++r) {
      if (p.bias.table) add_row(biases.row(i + r), padded_most, b.scores + r * padded_keys);
      const SoftmaxSums sums =
          softmax_scores(b.scores + r * padded_keys, visible_keys(s, p.causal, i + r), padded_most);
      max[r] = sums.max;
      total[r] = sums.total;
    }
    if (f.lse) store_log_sums(f, s.q_begin + i, head, queries, max, total);
    if (p.dropout.active()) drop_block(p.dropout, s, head, i, queries, padded_keys, padded_most, b);
    float* y = f.y.row<float>(s.q_begin + i) + head * dim;
    multiply_small({b.scores, padded_keys, 1}, queries, b.values, padded_dim, most, y, f.y.row_stride, dim, 1, false);
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
      const auto [keys, values, scores, factors, biases] =
          scratch.take<5>({dim * padded_keys, s.k_len * padded_dim, kQueryBlock * padded_keys,
                           p.dropout.active() ? DropoutTile::kQueries * padded_keys : 0, BiasRows::size(p.bias, s)});
      stage_transposed(f.k.row<float>(s.k_begin) + kv_head * dim, f.k.row_stride, s.k_len, dim, padded_keys, keys);
      stage(f.v.row<float>(s.k_begin) + kv_head * dim, f.v.row_stride, s.k_len, dim, padded_dim, values);
      for (int h = 0; h < group; ++h)
        attend_head(f, s, static_cast<int>(kv_head) * group + h, {keys, values, scores, factors, biases});
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
  std::vector<float> bias_memory(static_cast<size_t>(BiasRows::size(p.bias, s)));
  const BiasRows biases(p.bias, s, bias_memory.data());
  if (p.bias.table) biases.load(head);
  for (int64_t i = 0; i < s.q_len; ++i) {
    float* row = scores.data() + i * padded_keys;
    if (p.bias.table) add_row(biases.row(i), padded_keys, row);
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
