// One Adam step over flat buffers (Kingma and Ba 2015, algorithm 1; decoupled decay: Loshchilov and Hutter 2019).
//
// Reads and writes each number once: the floor is 28 bytes a parameter over the memory's bandwidth.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "heed/cpu/adam.cpp"
#include <hwy/foreach_target.h>  // must come first: it includes this file once per instruction set

#include <cmath>

#include "heed/base/threads.h"
#include "heed/cpu/cpu_backend.h"
#include "heed/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {

void adam(const TensorView& w, const TensorView& dw, const TensorView& m, const TensorView& v, const AdamParams& p) {
  const FloatTag d;
  const int64_t lanes = lane_count(), n = w.shape.numel();
  const double correction1 = 1 - std::pow(static_cast<double>(p.beta1), static_cast<double>(p.step));
  const double correction2 = 1 - std::pow(static_cast<double>(p.beta2), static_cast<double>(p.step));
  const FloatVec beta1 = hn::Set(d, p.beta1), rest1 = hn::Set(d, 1 - p.beta1);
  const FloatVec beta2 = hn::Set(d, p.beta2), rest2 = hn::Set(d, 1 - p.beta2);
  const FloatVec step = hn::Set(d, static_cast<float>(p.learning_rate / correction1));
  const FloatVec root = hn::Set(d, static_cast<float>(1 / std::sqrt(correction2)));
  const FloatVec epsilon = hn::Set(d, p.epsilon), scale = hn::Set(d, p.gradient_scale);
  const FloatVec decay = hn::Set(d, p.decoupled ? 0.0f : p.weight_decay);
  const FloatVec shrink = hn::Set(d, p.decoupled ? 1 - p.learning_rate * p.weight_decay : 1.0f);
  auto *pw = w.as<float>(), *pm = m.as<float>(), *pv = v.as<float>();
  const auto* pg = dw.as<float>();
  parallel_for(n, 1 << 14, [&](int64_t begin, int64_t end, int) HWY_ATTR {
    for (int64_t i = begin; i < end; i += lanes) {
      const int64_t left = end - i;
      const FloatVec weight = load(pw + i, left);
      const FloatVec g = hn::MulAdd(decay, weight, hn::Mul(scale, load(pg + i, left)));
      const FloatVec first = hn::MulAdd(beta1, load(pm + i, left), hn::Mul(rest1, g));
      const FloatVec second = hn::MulAdd(beta2, load(pv + i, left), hn::Mul(rest2, hn::Mul(g, g)));
      const FloatVec denominator = hn::MulAdd(hn::Sqrt(second), root, epsilon);
      store(first, pm + i, left);
      store(second, pv + i, left);
      store(hn::NegMulAdd(step, hn::Div(first, denominator), hn::Mul(weight, shrink)), pw + i, left);
    }
  });
}

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::cpu {
namespace {
HWY_EXPORT(adam);
}  // namespace

void CpuBackend::adam(const TensorView& w, const TensorView& dw, const TensorView& m, const TensorView& v,
                      const AdamParams& params) {
  HWY_DYNAMIC_DISPATCH(adam)(w, dw, m, v, params);
}

}  // namespace heed::cpu
#endif
