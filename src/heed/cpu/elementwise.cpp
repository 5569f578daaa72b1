// Elementwise kernels, and the epilogue of a matrix product.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "heed/cpu/elementwise.cpp"
#include <hwy/foreach_target.h>  // must come first: it includes this file once per instruction set

#include "heed/base/threads.h"
#include "heed/cpu/bias_activation.h"
#include "heed/cpu/cpu_backend.h"
#include "heed/cpu/dropout-inl.h"
#include "heed/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {

// Elements that are worth a thread: below, starting it costs more than it saves.
constexpr int64_t kGrain = 1 << 14;

HWY_INLINE int64_t row_grain(int64_t cols) { return 1 + kGrain / (cols + 1); }

// Calls f(row, column, lanes left) for each vector of a [rows, cols] view, rows divided among the threads.
template <class F>
HWY_INLINE void for_each_vector(const TensorView& y, const F& f) {
  const int64_t lanes = lane_count(), cols = y.cols();
  parallel_for(y.rows(), row_grain(cols), [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r)
      for (int64_t c = 0; c < cols; c += lanes) f(r, c, cols - c);
  });
}

// y = f(x) or y += f(x), f on vectors.
template <class F>
HWY_INLINE void map(const TensorView& x, bool accumulate, const TensorView& y, const F& f) {
  const auto* in = x.as<float>();
  auto* out = y.as<float>();
  for_each_vector(y, [&](int64_t r, int64_t c, int64_t left) HWY_ATTR {
    float* to = out + r * y.row_stride + c;
    FloatVec value = f(load(in + r * x.row_stride + c, left));
    if (accumulate) value = hn::Add(value, load(to, left));
    store(value, to, left);
  });
}

// y = f(a, b) or y += f(a, b).
template <class F>
HWY_INLINE void map2(const TensorView& a, const TensorView& b, bool accumulate, const TensorView& y, const F& f) {
  const auto* first = a.as<float>();
  const auto* second = b.as<float>();
  auto* out = y.as<float>();
  for_each_vector(y, [&](int64_t r, int64_t c, int64_t left) HWY_ATTR {
    float* to = out + r * y.row_stride + c;
    FloatVec value = f(load(first + r * a.row_stride + c, left), load(second + r * b.row_stride + c, left));
    if (accumulate) value = hn::Add(value, load(to, left));
    store(value, to, left);
  });
}

// Calls f(row, column, lanes left, factors) for each vector of the rows [begin, end), which the dropout counts from
// first_row on.
template <class F>
HWY_INLINE void for_each_dropped(const Dropout& spec, int64_t first_row, int64_t begin, int64_t end, int64_t cols,
                                 const F& f) {
  alignas(64) float factors[kDropoutGroup];
  for (int64_t r = begin; r < end; ++r) {
    const DropoutRow random = dropout_row(spec, first_row + r);
    for (int64_t c = 0; c < cols; c += lane_count()) {
      if (c % kDropoutGroup == 0) random.group(c / kDropoutGroup, factors);
      f(r, c, cols - c, hn::LoadU(FloatTag(), factors + c % kDropoutGroup));
    }
  }
}

void add_dropped(const TensorView& a, const TensorView& b, const Dropout& spec, const TensorView& y) {
  parallel_for(y.rows(), row_grain(y.cols()), [&](int64_t begin, int64_t end, int) HWY_ATTR {
    for_each_dropped(spec, 0, begin, end, y.cols(), [&](int64_t r, int64_t c, int64_t left, FloatVec factor) HWY_ATTR {
      const FloatVec sum = hn::MulAdd(factor, load(b.row<float>(r) + c, left), load(a.row<float>(r) + c, left));
      store(sum, y.row<float>(r) + c, left);
    });
  });
}

void add(const TensorView& a, const TensorView& b, const Dropout& spec, const TensorView& y) {
  if (spec.active()) return add_dropped(a, b, spec, y);
  map2(a, b, false, y, [](FloatVec p, FloatVec q) HWY_ATTR { return hn::Add(p, q); });
}

void multiply(const TensorView& a, const TensorView& b, bool accumulate, const TensorView& y) {
  map2(a, b, accumulate, y, [](FloatVec p, FloatVec q) HWY_ATTR { return hn::Mul(p, q); });
}

void scale(const TensorView& x, float factor, bool accumulate, const TensorView& y) {
  const FloatVec f = hn::Set(FloatTag(), factor);
  map(x, accumulate, y, [f](FloatVec v) HWY_ATTR { return hn::Mul(v, f); });
}

void activation(const TensorView& x, Activation kind, const TensorView& y) {
  with_activation(kind, [&](auto k) HWY_ATTR {
    map(x, false, y, [](FloatVec v) HWY_ATTR { return activate<decltype(k)::value>(v); });
  });
}

void activation_backward(const TensorView& x, const TensorView& dy, Activation kind, bool accumulate,
                         const TensorView& dx) {
  with_activation(kind, [&](auto k) HWY_ATTR {
    map2(x, dy, accumulate, dx,
         [](FloatVec v, FloatVec g) HWY_ATTR { return hn::Mul(g, activation_slope<decltype(k)::value>(v)); });
  });
}

void bias_activation_rows(const TensorView& y, const TensorView& bias, Activation kind, const Dropout& spec,
                          int64_t first_row, const TensorView& z) {
  const int64_t lanes = lane_count(), cols = y.cols();
  const float* b = bias ? bias.as<float>() : nullptr;
  const bool drop = spec.active();
  with_activation(kind, [&](auto k) HWY_ATTR {
    alignas(64) float factors[kDropoutGroup];
    for (int64_t r = 0; r < y.rows(); ++r) {
      const DropoutRow random = drop ? dropout_row(spec, first_row + r) : DropoutRow(spec, 0, 0);
      float* row = y.row<float>(r);
      for (int64_t c = 0; c < cols; c += lanes) {
        FloatVec value = load(row + c, cols - c);
        if (b) value = hn::Add(value, load(b + c, cols - c));
        if (z) store(value, z.row<float>(r) + c, cols - c);
        value = activate<decltype(k)::value>(value);
        if (drop) {
          if (c % kDropoutGroup == 0) random.group(c / kDropoutGroup, factors);
          value = hn::Mul(value, hn::LoadU(FloatTag(), factors + c % kDropoutGroup));
        }
        store(value, row + c, cols - c);
      }
    }
  });
}

// dy = dropout(dy), rows counted from first_row.
HWY_INLINE void drop_rows(const Dropout& spec, int64_t first_row, const TensorView& dy) {
  for_each_dropped(spec, first_row, 0, dy.rows(), dy.cols(),
                   [&](int64_t r, int64_t c, int64_t left, FloatVec factor) HWY_ATTR {
                     float* at = dy.row<float>(r) + c;
                     store(hn::Mul(load(at, left), factor), at, left);
                   });
}

// A stripe of four vectors of columns at a time, so that the sums stay in registers. ReLU's dropout multiplies by
// keep_factor.
template <Activation kKind>
void activation_backward_rows(const TensorView& kept, float keep_factor, const TensorView& dy, float* column_sums) {
  const FloatTag d;
  constexpr int64_t kVectors = 4;
  const int64_t lanes = lane_count(), cols = dy.cols(), rows = dy.rows();
  const FloatVec keep = hn::Set(d, keep_factor), zero = hn::Zero(d);
  for (int64_t c = 0; c < cols; c += kVectors * lanes) {
    FloatVec sums[kVectors] = {zero, zero, zero, zero};
    for (int64_t r = 0; r < rows; ++r) {
      float* grad = dy.row<float>(r) + c;
#pragma GCC unroll 4
      for (int64_t v = 0; v < kVectors; ++v) {
        const int64_t left = cols - c - v * lanes;
        if (left <= 0) break;
        FloatVec value = load(grad + v * lanes, left);
        if constexpr (kKind != Activation::kNone) {
          const FloatVec of = load(kept.row<float>(r) + c + v * lanes, left);
          if constexpr (kKind == Activation::kRelu) value = hn::IfThenElseZero(hn::Gt(of, zero), hn::Mul(value, keep));
          else value = hn::Mul(value, activation_slope<kKind>(of));
          store(value, grad + v * lanes, left);
        }
        sums[v] = hn::Add(sums[v], value);
      }
    }
    if (!column_sums) continue;
    for (int64_t v = 0; v < kVectors && c + v * lanes < cols; ++v) {
      float* to = column_sums + c + v * lanes;
      store(hn::Add(load(to, cols - c - v * lanes), sums[v]), to, cols - c - v * lanes);
    }
  }
}

void bias_activation_backward_rows(const TensorView& kept, Activation kind, const Dropout& spec, int64_t first_row,
                                   const TensorView& dy, float* column_sums) {
  if (kind != Activation::kRelu && spec.active()) drop_rows(spec, first_row, dy);
  if (kind == Activation::kNone && !column_sums) return;
  const float keep = spec.active() ? 1.0f / (1.0f - spec.rate) : 1.0f;
  with_activation(kind,
                  [&](auto k) HWY_ATTR { activation_backward_rows<decltype(k)::value>(kept, keep, dy, column_sums); });
}

void dropout(const TensorView& x, const Dropout& spec, bool accumulate, const TensorView& y) {
  parallel_for(y.rows(), row_grain(y.cols()), [&](int64_t begin, int64_t end, int) HWY_ATTR {
    for_each_dropped(spec, 0, begin, end, y.cols(), [&](int64_t r, int64_t c, int64_t left, FloatVec factor) HWY_ATTR {
      FloatVec value = hn::Mul(load(x.row<float>(r) + c, left), factor);
      if (accumulate) value = hn::Add(value, load(y.row<float>(r) + c, left));
      store(value, y.row<float>(r) + c, left);
    });
  });
}

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::cpu {
namespace {
HWY_EXPORT(add);
HWY_EXPORT(multiply);
HWY_EXPORT(scale);
HWY_EXPORT(activation);
HWY_EXPORT(activation_backward);
HWY_EXPORT(bias_activation_rows);
HWY_EXPORT(bias_activation_backward_rows);
HWY_EXPORT(dropout);
}  // namespace

void CpuBackend::add(const TensorView& a, const TensorView& b, const Dropout& dropout, const TensorView& y) {
  HWY_DYNAMIC_DISPATCH(add)(a, b, dropout, y);
}
void CpuBackend::multiply(const TensorView& a, const TensorView& b, bool accumulate, const TensorView& y) {
  HWY_DYNAMIC_DISPATCH(multiply)(a, b, accumulate, y);
}
void CpuBackend::scale(const TensorView& x, float factor, bool accumulate, const TensorView& y) {
  HWY_DYNAMIC_DISPATCH(scale)(x, factor, accumulate, y);
}
void CpuBackend::scale_by(const TensorView& x, const TensorView& factor, double divisor, bool accumulate,
                          const TensorView& y) {
  scale(x, static_cast<float>(*factor.as<float>() / divisor), accumulate, y);
}
void CpuBackend::activation(const TensorView& x, Activation kind, const TensorView& y) {
  HWY_DYNAMIC_DISPATCH(activation)(x, kind, y);
}
void CpuBackend::activation_backward(const TensorView& x, const TensorView& dy, Activation kind, bool accumulate,
                                     const TensorView& dx) {
  HWY_DYNAMIC_DISPATCH(activation_backward)(x, dy, kind, accumulate, dx);
}
void CpuBackend::dropout(const TensorView& x, const Dropout& dropout, bool accumulate, const TensorView& y) {
  HWY_DYNAMIC_DISPATCH(dropout)(x, dropout, accumulate, y);
}
void bias_activation(const TensorView& y, const TensorView& bias, Activation kind, const Dropout& dropout,
                     int64_t first_row, const TensorView& z) {
  if (bias || kind != Activation::kNone || dropout.active())
    HWY_DYNAMIC_DISPATCH(bias_activation_rows)(y, bias, kind, dropout, first_row, z);
}
void bias_activation_backward(const TensorView& kept, Activation kind, const Dropout& dropout, int64_t first_row,
                              const TensorView& dy, float* column_sums) {
  HWY_DYNAMIC_DISPATCH(bias_activation_backward_rows)(kept, kind, dropout, first_row, dy, column_sums);
}

}  // namespace heed::cpu
#endif
