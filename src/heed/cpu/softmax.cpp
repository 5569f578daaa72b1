// Softmax, its logarithm, its backward, and label-smoothed cross entropy: one thread a row, three passes in cache.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "heed/cpu/softmax.cpp"
#include <hwy/foreach_target.h>  // must come first: it includes this file once per instruction set

#include <cmath>
#include <limits>

#include "heed/base/threads.h"
#include "heed/cpu/cpu_backend.h"
#include "heed/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {

constexpr int64_t kGrain = 1 << 12;

template <class F>
HWY_INLINE void for_each_row(const TensorView& x, const F& f) {
  parallel_for(x.rows(), 1 + kGrain / (x.cols() + 1), [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) f(r);
  });
}

HWY_INLINE float row_max(const float* x, int64_t n) {
  const FloatTag d;
  const int64_t lanes = lane_count();
  FloatVec best = hn::Set(d, -std::numeric_limits<float>::infinity());
  int64_t c = 0;
  for (; c + lanes <= n; c += lanes) best = hn::Max(best, hn::LoadU(d, x + c));
  float result = max_lanes(best);
  for (; c < n; ++c) result = std::max(result, x[c]);
  return result;
}

struct ExpSums {
  float exp = 0, plain = 0;  // sum of exp(x - shift), sum of x
};

// The sums of exp(x - shift) and of x; with `out`, stores the exponentials.
template <bool kStore>
HWY_INLINE ExpSums exp_sums(const float* x, float shift, int64_t n, float* out) {
  const FloatTag d;
  const int64_t lanes = lane_count();
  const FloatVec m = hn::Set(d, shift);
  FloatVec sum = hn::Zero(d), plain = hn::Zero(d);
  int64_t c = 0;
  for (; c + lanes <= n; c += lanes) {
    const FloatVec v = hn::LoadU(d, x + c);
    const FloatVec e = hn::Exp(d, hn::Sub(v, m));
    plain = hn::Add(plain, v);
    sum = hn::Add(sum, e);
    if constexpr (kStore) hn::StoreU(e, d, out + c);
  }
  if (c < n) {
    const auto mask = hn::FirstN(d, static_cast<size_t>(n - c));
    const FloatVec v = hn::MaskedLoad(mask, d, x + c);
    const FloatVec e = hn::IfThenElseZero(mask, hn::Exp(d, hn::Sub(v, m)));
    plain = hn::Add(plain, v);
    sum = hn::Add(sum, e);
    if constexpr (kStore) hn::BlendedStore(e, mask, d, out + c);
  }
  return {sum_lanes(sum), sum_lanes(plain)};
}

// y = x factor + term, elementwise.
HWY_INLINE void scale_shift(const float* x, float factor, float term, int64_t n, float* y) {
  const FloatTag d;
  const FloatVec f = hn::Set(d, factor), t = hn::Set(d, term);
  for (int64_t c = 0; c < n; c += lane_count()) store(hn::MulAdd(load(x + c, n - c), f, t), y + c, n - c);
}

void softmax(const TensorView& x, const TensorView& y) {
  const int64_t n = x.cols();
  for_each_row(x, [&](int64_t r) HWY_ATTR {
    const float* in = x.row<float>(r);
    float* out = y.row<float>(r);
    const float sum = exp_sums<true>(in, row_max(in, n), n, out).exp;
    scale_shift(out, 1.0f / sum, 0, n, out);
  });
}

// dx = y (dy - sum(y dy))
void softmax_backward(const TensorView& y, const TensorView& dy, bool accumulate, const TensorView& dx) {
  const FloatTag d;
  const int64_t n = y.cols(), lanes = lane_count();
  for_each_row(y, [&](int64_t r) HWY_ATTR {
    const float* p = y.row<float>(r);
    const float* g = dy.row<float>(r);
    float* out = dx.row<float>(r);
    FloatVec dot = hn::Zero(d);
    for (int64_t c = 0; c < n; c += lanes) dot = hn::MulAdd(load(p + c, n - c), load(g + c, n - c), dot);
    const FloatVec total = hn::Set(d, sum_lanes(dot));
    for (int64_t c = 0; c < n; c += lanes) {
      FloatVec value = hn::Mul(load(p + c, n - c), hn::Sub(load(g + c, n - c), total));
      if (accumulate) value = hn::Add(value, load(out + c, n - c));
      store(value, out + c, n - c);
    }
  });
}

void log_softmax(const TensorView& x, const TensorView& y) {
  const int64_t n = x.cols();
  for_each_row(x, [&](int64_t r) HWY_ATTR {
    const float* in = x.row<float>(r);
    const float max = row_max(in, n);
    const float sum = exp_sums<false>(in, max, n, nullptr).exp;
    scale_shift(in, 1, -max - std::log(sum), n, y.row<float>(r));
  });
}

void cross_entropy(const TensorView& logits, const TensorView& targets, float smoothing, const TensorView& losses,
                   const TensorView& nll, const TensorView& dlogits) {
  const int64_t n = logits.cols();
  const float uniform = smoothing / static_cast<float>(n);
  const int32_t* target = targets.as<int32_t>();
  for_each_row(logits, [&](int64_t r) HWY_ATTR {
    const float* x = logits.row<float>(r);
    float* dx = dlogits ? dlogits.row<float>(r) : nullptr;
    const int32_t t = target[r];
    if (t < 0) {
      losses.as<float>()[r] = nll.as<float>()[r] = 0;
      if (dx) std::fill_n(dx, n, 0.0f);
      return;
    }
    const float max = row_max(x, n), chosen = x[t];
    const ExpSums sums = dx ? exp_sums<true>(x, max, n, dx) : exp_sums<false>(x, max, n, nullptr);
    const float log_sum = max + std::log(sums.exp);
    nll.as<float>()[r] = log_sum - chosen;
    // -(1 - s) log p(t) - s / n sum of log p = lse - (1 - s) x_t - s / n sum of x
    losses.as<float>()[r] = log_sum - (1 - smoothing) * chosen - uniform * sums.plain;
    if (dx) {
      scale_shift(dx, 1.0f / sums.exp, -uniform, n, dx);
      dx[t] -= 1 - smoothing;
    }
  });
}

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::cpu {
namespace {
HWY_EXPORT(softmax);
HWY_EXPORT(softmax_backward);
HWY_EXPORT(log_softmax);
HWY_EXPORT(cross_entropy);
}  // namespace

void CpuBackend::softmax(const TensorView& x, const TensorView& y) { HWY_DYNAMIC_DISPATCH(softmax)(x, y); }
void CpuBackend::softmax_backward(const TensorView& y, const TensorView& dy, bool accumulate, const TensorView& dx) {
  HWY_DYNAMIC_DISPATCH(softmax_backward)(y, dy, accumulate, dx);
}
void CpuBackend::log_softmax(const TensorView& x, const TensorView& y) { HWY_DYNAMIC_DISPATCH(log_softmax)(x, y); }
void CpuBackend::cross_entropy(const TensorView& logits, const TensorView& targets, float smoothing,
                               const TensorView& losses, const TensorView& nll, const TensorView& dlogits) {
  HWY_DYNAMIC_DISPATCH(cross_entropy)(logits, targets, smoothing, losses, nll, dlogits);
}

}  // namespace heed::cpu
#endif
