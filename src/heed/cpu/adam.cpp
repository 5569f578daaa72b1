// One Adam step over flat buffers (Kingma and Ba 2015, algorithm 1; decoupled decay: Loshchilov and Hutter 2019).
//
// Reads and writes each number once: the floor is 28 bytes a parameter over the memory's bandwidth.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "heed/cpu/adam.cpp"
#include <hwy/foreach_target.h>  // must come first: it includes this file once per instruction set

#include <algorithm>
#include <cmath>

#include "heed/base/threads.h"
#include "heed/cpu/cpu_backend.h"
#include "heed/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {

// Elements [begin, end) of a run.
void adam_run(const AdamRun& run, int64_t begin, int64_t end, const AdamParams& p, float* w, const float* dw, float* m,
              float* v) {
  const FloatTag d;
  const int64_t lanes = lane_count();
  const float rate = p.learning_rate * run.rate, weight_decay = run.decays ? p.weight_decay : 0;
  const double correction1 = 1 - std::pow(static_cast<double>(p.beta1), static_cast<double>(p.step));
  const double correction2 = 1 - std::pow(static_cast<double>(p.beta2), static_cast<double>(p.step));
  const FloatVec beta1 = hn::Set(d, p.beta1), rest1 = hn::Set(d, 1 - p.beta1);
  const FloatVec beta2 = hn::Set(d, p.beta2), rest2 = hn::Set(d, 1 - p.beta2);
  const FloatVec step = hn::Set(d, static_cast<float>(rate / correction1));
  const FloatVec root = hn::Set(d, static_cast<float>(1 / std::sqrt(correction2)));
  const FloatVec epsilon = hn::Set(d, p.epsilon), scale = hn::Set(d, p.gradient_scale);
  const FloatVec decay = hn::Set(d, p.decoupled ? 0.0f : weight_decay);
  const FloatVec shrink = hn::Set(d, p.decoupled ? 1 - rate * weight_decay : 1.0f);
  for (int64_t i = begin; i < end; i += lanes) {
    const int64_t left = end - i;
    const FloatVec weight = load(w + i, left);
    const FloatVec g = hn::MulAdd(decay, weight, hn::Mul(scale, load(dw + i, left)));
    const FloatVec first = hn::MulAdd(beta1, load(m + i, left), hn::Mul(rest1, g));
    const FloatVec second = hn::MulAdd(beta2, load(v + i, left), hn::Mul(rest2, hn::Mul(g, g)));
    const FloatVec denominator = hn::MulAdd(hn::Sqrt(second), root, epsilon);
    store(first, m + i, left);
    store(second, v + i, left);
    store(hn::NegMulAdd(step, hn::Div(first, denominator), hn::Mul(weight, shrink)), w + i, left);
  }
}

void adam(const TensorView& w, const TensorView& dw, const TensorView& m, const TensorView& v,
          std::span<const AdamRun> runs, const AdamParams& p) {
  parallel_for(w.shape.numel(), 1 << 14, [&](int64_t begin, int64_t end, int) {
    const auto ends_before = [](const AdamRun& run, int64_t place) { return run.end <= place; };
    for (auto run = std::lower_bound(runs.begin(), runs.end(), begin, ends_before);
         run != runs.end() && run->begin < end; ++run)
      adam_run(*run, std::max(begin, run->begin), std::min(end, run->end), p, w.as<float>(), dw.as<float>(),
               m.as<float>(), v.as<float>());
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
                      std::span<const AdamRun> runs, const AdamParams& params) {
  HWY_DYNAMIC_DISPATCH(adam)(w, dw, m, v, runs, params);
}

}  // namespace heed::cpu
#endif
