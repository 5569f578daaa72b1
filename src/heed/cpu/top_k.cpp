// The k best of each row of logits with their log-probabilities: what a step of beam search needs of a vocabulary.
//
// The first pass keeps the k largest so far in a sorted list that few elements enter after the first hundred; the
// second sums the exponentials. Ties go to the lower index, as in a stable sort.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "heed/cpu/top_k.cpp"
#include <hwy/foreach_target.h>  // must come first: it includes this file once per instruction set

#include <cmath>
#include <limits>

#include "heed/base/threads.h"
#include "heed/cpu/cpu_backend.h"
#include "heed/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {

// Inserts x[c], known to be larger than values[k - 1], behind all that are at least as large.
HWY_INLINE void insert(float value, int32_t index, int k, float* values, int32_t* indices) {
  int i = k - 1;
  for (; i > 0 && values[i - 1] < value; --i) {
    values[i] = values[i - 1];
    indices[i] = indices[i - 1];
  }
  values[i] = value;
  indices[i] = index;
}

HWY_INLINE void select_row(const float* x, int64_t n, int k, float* values, int32_t* indices) {
  const FloatTag d;
  const int64_t lanes = lane_count();
  std::fill_n(values, k, -std::numeric_limits<float>::infinity());
  for (int i = 0; i < k; ++i) indices[i] = i;  // what -inf rows answer
  int64_t c = 0;
  for (; c + lanes <= n; c += lanes) {
    const FloatVec v = hn::LoadU(d, x + c);
    if (hn::AllFalse(d, hn::Gt(v, hn::Set(d, values[k - 1])))) continue;
    for (int64_t i = c; i < c + lanes; ++i)
      if (x[i] > values[k - 1]) insert(x[i], static_cast<int32_t>(i), k, values, indices);
  }
  for (; c < n; ++c)
    if (x[c] > values[k - 1]) insert(x[c], static_cast<int32_t>(c), k, values, indices);
}

HWY_INLINE float log_sum_exp(const float* x, float max, int64_t n) {
  const FloatTag d;
  const int64_t lanes = lane_count();
  const FloatVec m = hn::Set(d, max);
  FloatVec sum = hn::Zero(d);
  int64_t c = 0;
  for (; c + lanes <= n; c += lanes) sum = hn::Add(sum, hn::Exp(d, hn::Sub(hn::LoadU(d, x + c), m)));
  if (c < n) {
    const auto mask = hn::FirstN(d, static_cast<size_t>(n - c));
    sum = hn::Add(sum, hn::IfThenElseZero(mask, hn::Exp(d, hn::Sub(hn::MaskedLoad(mask, d, x + c), m))));
  }
  return max + std::log(sum_lanes(sum));
}

void log_softmax_top_k(const TensorView& logits, int k, const TensorView& values, const TensorView& indices) {
  const int64_t n = logits.cols();
  parallel_for(logits.rows(), 1 + (1 << 12) / (n + 1), [&](int64_t begin, int64_t end, int) HWY_ATTR {
    for (int64_t r = begin; r < end; ++r) {
      const float* x = logits.row<float>(r);
      float* best = values.row<float>(r);
      select_row(x, n, k, best, indices.row<int32_t>(r));
      const float lse = log_sum_exp(x, best[0], n);
      for (int i = 0; i < k; ++i) best[i] -= lse;
    }
  });
}

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::cpu {
namespace {
HWY_EXPORT(log_softmax_top_k);
}  // namespace

void CpuBackend::log_softmax_top_k(const TensorView& logits, int k, const TensorView& values,
                                   const TensorView& indices) {
  HWY_DYNAMIC_DISPATCH(log_softmax_top_k)(logits, k, values, indices);
}

}  // namespace heed::cpu
#endif
