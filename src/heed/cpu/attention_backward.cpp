// The backward of attention: probabilities are computed again from the saved log-sum-exp, a block of queries at a time.
//
// With p = exp(scale q k^T - lse), m the dropout factors, o = (m p) v and delta = sum(o do) over head_dim:
//   dv = (m p)^T do;  dp = m (do v^T);  ds = p (dp - delta);  dq = scale ds k;  dk = scale ds^T q
// (Dao et al. 2022, appendix B.4). A bias gets the sum of ds over the scores that it was added to. Segments must not
// share keys: each writes the gradients of its own.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "heed/cpu/attention_backward.cpp"
#include <hwy/foreach_target.h>  // must come first: it includes this file once per instruction set

#include "heed/base/threads.h"
#include "heed/cpu/attention-inl.h"
#include "heed/cpu/attention_args.h"
#include "heed/cpu/cpu_backend.h"

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {

// The scratch of one head of one segment. Keys and values as [H][Tp] for products with rows of queries, keys as [T][Hp]
// for dq; q and dy of a block as [queries][Hp]; dk and dv as [T][Hp], summed over the heads that share them.
struct Buffers {
  float *keys_t, *values_t, *keys, *queries, *dy, *p, *dp, *dk, *dv, *factors, *biases, *dbiases;
};

// p = exp(s - lse), zero beyond the n visible keys; dp gets p (m dp - delta), p gets m p. factors: m, or nullptr for
// ones.
HWY_INLINE void score_gradient_row(const float* factors, int64_t n, int64_t padded, float lse, float delta, float* p,
                                   float* dp) {
  const FloatTag d;
  const int64_t lanes = lane_count();
  const FloatVec shift = hn::Set(d, lse), minus = hn::Set(d, delta);
  for (int64_t c = 0; c < padded; c += lanes) {
    FloatVec prob = hn::Exp(d, hn::Sub(hn::LoadU(d, p + c), shift));
    if (n - c < lanes) prob = n > c ? hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(n - c)), prob) : hn::Zero(d);
    FloatVec grad = hn::LoadU(d, dp + c), kept = prob;
    if (factors) {
      const FloatVec m = hn::LoadU(d, factors + c);
      grad = hn::Mul(grad, m);
      kept = hn::Mul(prob, m);
    }
    hn::StoreU(hn::Mul(prob, hn::Sub(grad, minus)), d, dp + c);
    hn::StoreU(kept, d, p + c);
  }
}

HWY_INLINE float dot(const float* a, const float* b, int64_t n) {
  FloatVec sum = hn::Zero(FloatTag());
  for (int64_t c = 0; c < n; c += lane_count()) sum = hn::MulAdd(load(a + c, n - c), load(b + c, n - c), sum);
  return sum_lanes(sum);
}

HWY_INLINE void backward_head(const AttentionBackward& b, const Segment& s, int head, const Buffers& m, float* dbias) {
  const AttentionParams& p = b.params;
  const BiasRows biases(p.bias, s, m.biases), dbiases(p.bias, s, m.dbiases);
  if (p.bias.table) {
    biases.load(head);
    dbiases.clear();
  }
  const int64_t dim = p.head_dim, padded_dim = round_up(dim), padded_keys = round_up(s.k_len);
  for (int64_t i = 0; i < s.q_len; i += kQueryBlock) {
    const int64_t queries = std::min(kQueryBlock, s.q_len - i), row = s.q_begin + i;
    const int64_t most = visible_keys(s, p.causal, i + queries - 1), padded_most = round_up(most);
    stage(b.q.row<float>(row) + head * dim, b.q.row_stride, queries, dim, padded_dim, m.queries);
    stage(b.dy.row<float>(row) + head * dim, b.dy.row_stride, queries, dim, padded_dim, m.dy);
    multiply_small({m.queries, padded_dim, 1}, queries, m.keys_t, padded_keys, dim, m.p, padded_keys, padded_most,
                   p.scale, false);
    multiply_small({m.dy, padded_dim, 1}, queries, m.values_t, padded_keys, dim, m.dp, padded_keys, padded_most, 1,
                   false);
    for (int64_t r = 0; r < queries; ++r) {
      const float delta = dot(b.y.row<float>(row + r) + head * dim, m.dy + r * padded_dim, dim);
      const int64_t query = s.q_offset + i + r, in_block = query % DropoutTile::kQueries;
      const float* factors = nullptr;
      if (p.dropout.active()) {
        if (r == 0 || in_block == 0)
          DropoutTile::draw(p.dropout, s, head, query / DropoutTile::kQueries, padded_most, m.factors);
        factors = m.factors + in_block * padded_most;
      }
      if (p.bias.table) add_row(biases.row(i + r), padded_most, m.p + r * padded_keys);
      score_gradient_row(factors, visible_keys(s, p.causal, i + r), padded_most, b.lse.row<float>(row + r)[head], delta,
                         m.p + r * padded_keys, m.dp + r * padded_keys);
      if (p.bias.table) add_row(m.dp + r * padded_keys, padded_most, dbiases.row(i + r));
    }
    float* dq = b.dq.row<float>(row) + head * dim;
    multiply_small({m.dp, padded_keys, 1}, queries, m.keys, padded_dim, most, dq, b.dq.row_stride, dim, p.scale,
                   b.accumulate);
    multiply_small({m.dp, 1, padded_keys}, most, m.queries, padded_dim, queries, m.dk, padded_dim, padded_dim, p.scale,
                   true);
    multiply_small({m.p, 1, padded_keys}, most, m.dy, padded_dim, queries, m.dv, padded_dim, padded_dim, 1, true);
  }
  if (p.bias.table) dbiases.unload(head, dbias);
}

// Scratch [T][Hp] into the rows of a gradient.
HWY_INLINE void unstage(const float* x, int64_t padded, int64_t rows, int64_t cols, bool accumulate, float* y,
                        int64_t stride) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; c += lane_count()) {
      FloatVec value = load(x + r * padded + c, cols - c);
      if (accumulate) value = hn::Add(value, load(y + r * stride + c, cols - c));
      store(value, y + r * stride + c, cols - c);
    }
}

// Asks for the rows that the next head reads, while this one is computed: they lie in the third-level cache, two lines
// here and two there, which no hardware foresees.
HWY_INLINE void fetch_head(const TensorView& x, int64_t begin, int64_t rows, int64_t offset, int64_t dim) {
  constexpr int64_t kMostRows = 64, kLine = 16;
  for (int64_t r = begin; r < begin + std::min(rows, kMostRows); ++r)
    for (int64_t c = 0; c < dim; c += kLine) __builtin_prefetch(x.row<float>(r) + offset + c, 0, 3);
}

HWY_INLINE void fetch_task(const AttentionBackward& b, const Segment& s, int64_t kv_head) {
  const AttentionParams& p = b.params;
  const int64_t dim = p.head_dim, group = p.heads / p.kv_heads;
  fetch_head(b.k, s.k_begin, s.k_len, kv_head * dim, dim);
  fetch_head(b.v, s.k_begin, s.k_len, kv_head * dim, dim);
  fetch_head(b.q, s.q_begin, s.q_len, kv_head * group * dim, dim);
  fetch_head(b.y, s.q_begin, s.q_len, kv_head * group * dim, dim);
  fetch_head(b.dy, s.q_begin, s.q_len, kv_head * group * dim, dim);
}

void attention_backward(const AttentionBackward& b, std::span<const Segment> segments) {
  const AttentionParams& p = b.params;
  const int group = p.heads / p.kv_heads;
  const int64_t dim = p.head_dim, padded_dim = round_up(dim);
  const auto tasks = static_cast<int64_t>(segments.size()) * p.kv_heads;
  parallel_for(tasks, 4, [&](int64_t begin, int64_t end, int) HWY_ATTR {
    static thread_local Scratch scratch;
    for (int64_t task = begin; task < end; ++task) {
      const Segment& s = segments[static_cast<size_t>(task / p.kv_heads)];
      const int64_t kv_head = task % p.kv_heads, padded_keys = round_up(s.k_len), offset = kv_head * dim;
      const int64_t by_key = s.k_len * padded_dim, by_dim = dim * padded_keys;
      const int64_t by_query = kQueryBlock * padded_dim, scores = kQueryBlock * padded_keys;
      const int64_t bias_size = BiasRows::size(p.bias, s);
      const auto [keys_t, values_t, keys, queries, dy, prob, dprob, dk, dv, factors, biases, dbiases] =
          scratch.take<12>({by_dim, by_dim, by_key, by_query, by_query, scores, scores, by_key, by_key,
                            p.dropout.active() ? DropoutTile::kQueries * padded_keys : 0, bias_size, bias_size});
      if (task + 1 < end)
        fetch_task(b, segments[static_cast<size_t>((task + 1) / p.kv_heads)], (task + 1) % p.kv_heads);
      const Buffers m{keys_t, values_t, keys, queries, dy, prob, dprob, dk, dv, factors, biases, dbiases};
      float* dbias = b.dbias ? b.dbias.row<float>(task / p.kv_heads) : nullptr;
      stage_transposed(b.k.row<float>(s.k_begin) + offset, b.k.row_stride, s.k_len, dim, padded_keys, keys_t);
      stage_transposed(b.v.row<float>(s.k_begin) + offset, b.v.row_stride, s.k_len, dim, padded_keys, values_t);
      stage(b.k.row<float>(s.k_begin) + offset, b.k.row_stride, s.k_len, dim, padded_dim, keys);
      std::fill_n(dk, by_key, 0.0f);
      std::fill_n(dv, by_key, 0.0f);
      for (int h = 0; h < group; ++h) backward_head(b, s, static_cast<int>(kv_head) * group + h, m, dbias);
      unstage(dk, padded_dim, s.k_len, dim, b.accumulate, b.dk.row<float>(s.k_begin) + offset, b.dk.row_stride);
      unstage(dv, padded_dim, s.k_len, dim, b.accumulate, b.dv.row<float>(s.k_begin) + offset, b.dv.row_stride);
    }
  });
}

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::cpu {
namespace {
HWY_EXPORT(attention_backward);
}  // namespace

void CpuBackend::attention_backward(const TensorView& q, const TensorView& k, const TensorView& v, const TensorView& y,
                                    const TensorView& lse, const TensorView& dy, std::span<const Segment> segments,
                                    const AttentionParams& params, bool accumulate, const TensorView& dq,
                                    const TensorView& dk, const TensorView& dv, const TensorView& dbias) {
  HWY_DYNAMIC_DISPATCH(attention_backward)({q, k, v, y, lse, dy, params, accumulate, dq, dk, dv, dbias}, segments);
}

}  // namespace heed::cpu
#endif
