// Vector mathematics that several kernels share: activations with their derivatives, row reductions, loops with a tail.
#if defined(HEED_CPU_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HEED_CPU_MATH_INL_H_
#undef HEED_CPU_MATH_INL_H_
#else
#define HEED_CPU_MATH_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "heed/core/backend.h"

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using FloatVec = hn::Vec<FloatTag>;

HWY_INLINE int64_t lane_count() { return static_cast<int64_t>(hn::Lanes(FloatTag())); }

// Loads or stores up to `count` elements at p (a whole vector if count is at least that); missing ones read as 0.
HWY_INLINE FloatVec load(const float* p, int64_t count) {
  const FloatTag d;
  if (count >= lane_count()) return hn::LoadU(d, p);
  return hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(count)), d, p);
}
HWY_INLINE void store(FloatVec v, float* p, int64_t count) {
  const FloatTag d;
  if (count >= lane_count()) hn::StoreU(v, d, p);
  else hn::BlendedStore(v, hn::FirstN(d, static_cast<size_t>(count)), d, p);
}

// A vector of bf16, widened.
HWY_INLINE FloatVec widened(const BFloat16* p) {
  const hn::RebindToUnsigned<FloatTag> words;
  const hn::Rebind<uint16_t, FloatTag> halves;
  const auto bits = hn::LoadU(halves, reinterpret_cast<const uint16_t*>(p));
  return hn::BitCast(FloatTag(), hn::ShiftLeft<16>(hn::PromoteTo(words, bits)));
}
// A vector of f16, widened.
HWY_INLINE FloatVec widened(const Float16* p) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Set(FloatTag(), static_cast<float>(*p));
#else
  const hn::Rebind<hwy::float16_t, FloatTag> halves;
  return hn::PromoteTo(FloatTag(), hn::LoadU(halves, reinterpret_cast<const hwy::float16_t*>(p)));
#endif
}
template <class T>
requires(sizeof(T) == 2) HWY_INLINE FloatVec load(const T* p, int64_t count) {
  if (count >= lane_count()) return widened(p);
  T part[HWY_LANES(float)];  // a masked load of 16-bit numbers may read beyond the end
  std::copy_n(p, count, part);
  return widened(part);
}

HWY_INLINE float sum_lanes(FloatVec v) { return hn::GetLane(hn::SumOfLanes(FloatTag(), v)); }
HWY_INLINE float max_lanes(FloatVec v) { return hn::GetLane(hn::MaxOfLanes(FloatTag(), v)); }

// erf to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
HWY_INLINE FloatVec erf(FloatVec x) {
  const FloatTag d;
  const FloatVec a = hn::Abs(x);
  const FloatVec t = hn::Div(hn::Set(d, 1.0f), hn::MulAdd(a, hn::Set(d, 0.3275911f), hn::Set(d, 1.0f)));
  FloatVec p = hn::MulAdd(hn::Set(d, 1.061405429f), t, hn::Set(d, -1.453152027f));
  p = hn::MulAdd(p, t, hn::Set(d, 1.421413741f));
  p = hn::MulAdd(p, t, hn::Set(d, -0.284496736f));
  p = hn::MulAdd(p, t, hn::Set(d, 0.254829592f));
  const FloatVec y = hn::NegMulAdd(hn::Mul(p, t), hn::Exp(d, hn::Neg(hn::Mul(a, a))), hn::Set(d, 1.0f));
  return hn::CopySign(y, x);
}

HWY_INLINE FloatVec sigmoid(FloatVec x) {
  const FloatTag d;
  const FloatVec one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, hn::Exp(d, hn::Neg(x))));
}

// tanh((2/pi)^1/2 (x + 0.044715 x^3)): the inner part of GPT-2's GELU (Hendrycks and Gimpel 2016, section 2).
HWY_INLINE FloatVec gelu_inner_tanh(FloatVec x) {
  const FloatTag d;
  const FloatVec u = hn::MulAdd(hn::Mul(hn::Set(d, 0.044715f), hn::Mul(x, x)), x, x);
  return hn::Tanh(d, hn::Mul(hn::Set(d, 0.7978845608f), u));
}

template <Activation kKind>
HWY_INLINE FloatVec activate(FloatVec x) {
  const FloatTag d;
  const FloatVec half = hn::Set(d, 0.5f);
  if constexpr (kKind == Activation::kRelu) return hn::Max(x, hn::Zero(d));
  if constexpr (kKind == Activation::kSilu) return hn::Mul(x, sigmoid(x));
  if constexpr (kKind == Activation::kTanh) return hn::Tanh(d, x);
  if constexpr (kKind == Activation::kGelu) {
    return hn::Mul(hn::Mul(half, x), hn::Add(hn::Set(d, 1.0f), erf(hn::Mul(x, hn::Set(d, 0.7071067812f)))));
  }
  if constexpr (kKind == Activation::kGeluTanh) {
    return hn::Mul(hn::Mul(half, x), hn::Add(hn::Set(d, 1.0f), gelu_inner_tanh(x)));
  }
  return x;
}

// d act(x) / d x.
template <Activation kKind>
HWY_INLINE FloatVec activation_slope(FloatVec x) {
  const FloatTag d;
  const FloatVec one = hn::Set(d, 1.0f), half = hn::Set(d, 0.5f);
  if constexpr (kKind == Activation::kRelu) return hn::IfThenElseZero(hn::Gt(x, hn::Zero(d)), one);
  if constexpr (kKind == Activation::kTanh) {
    const FloatVec t = hn::Tanh(d, x);
    return hn::NegMulAdd(t, t, one);
  }
  if constexpr (kKind == Activation::kSilu) {
    const FloatVec s = sigmoid(x);  // s + x s (1 - s)
    return hn::MulAdd(hn::Mul(x, s), hn::Sub(one, s), s);
  }
  if constexpr (kKind == Activation::kGelu) {  // Phi(x) + x phi(x)
    const FloatVec density = hn::Mul(hn::Set(d, 0.3989422804f), hn::Exp(d, hn::Mul(hn::Set(d, -0.5f), hn::Mul(x, x))));
    const FloatVec cumulative = hn::Mul(half, hn::Add(one, erf(hn::Mul(x, hn::Set(d, 0.7071067812f)))));
    return hn::MulAdd(x, density, cumulative);
  }
  if constexpr (kKind == Activation::kGeluTanh) {
    const FloatVec t = gelu_inner_tanh(x);
    const FloatVec du = hn::Mul(hn::Set(d, 0.7978845608f), hn::MulAdd(hn::Set(d, 0.134145f), hn::Mul(x, x), one));
    const FloatVec dt = hn::Mul(hn::NegMulAdd(t, t, one), du);
    return hn::MulAdd(hn::Mul(half, x), dt, hn::Mul(half, hn::Add(one, t)));
  }
  return one;
}

// Calls f with the activation as a compile-time constant.
template <class F>
HWY_INLINE void with_activation(Activation kind, const F& f) {
  switch (kind) {
    case Activation::kNone: return f(std::integral_constant<Activation, Activation::kNone>());
    case Activation::kRelu: return f(std::integral_constant<Activation, Activation::kRelu>());
    case Activation::kGelu: return f(std::integral_constant<Activation, Activation::kGelu>());
    case Activation::kGeluTanh: return f(std::integral_constant<Activation, Activation::kGeluTanh>());
    case Activation::kSilu: return f(std::integral_constant<Activation, Activation::kSilu>());
    case Activation::kTanh: return f(std::integral_constant<Activation, Activation::kTanh>());
  }
}

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
