// Activations with their derivatives, element types, and the update of Adam: arithmetic of single elements.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "heed/core/backend.h"
#include "heed/cuda/device_code.h"

namespace heed::cuda {

HEED_DEVICE float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// tanh((2/pi)^1/2 (x + 0.044715 x^3)) (Hendrycks and Gimpel 2016, section 2).
HEED_DEVICE float gelu_inner_tanh(float x) { return tanhf(0.7978845608f * (x + 0.044715f * x * x * x)); }

HEED_DEVICE float activate(Activation kind, float x) {
  switch (kind) {
    case Activation::kNone: return x;
    case Activation::kRelu: return x > 0 ? x : 0.0f;
    case Activation::kGelu: return 0.5f * x * (1.0f + erff(0.7071067812f * x));
    case Activation::kGeluTanh: return 0.5f * x * (1.0f + gelu_inner_tanh(x));
    case Activation::kSilu: return x * sigmoid(x);
    case Activation::kTanh: return tanhf(x);
  }
  return x;
}

// d act(x) / d x.
HEED_DEVICE float activation_slope(Activation kind, float x) {
  switch (kind) {
    case Activation::kNone: return 1;
    case Activation::kRelu: return x > 0 ? 1.0f : 0.0f;
    case Activation::kGelu:  // Phi(x) + x phi(x)
      return 0.5f * (1.0f + erff(0.7071067812f * x)) + x * 0.3989422804f * expf(-0.5f * x * x);
    case Activation::kGeluTanh: {
      const float t = gelu_inner_tanh(x), du = 0.7978845608f * (1.0f + 0.134145f * x * x);
      return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * du;
    }
    case Activation::kSilu: {  // s + x s (1 - s)
      const float s = sigmoid(x);
      return s + x * s * (1.0f - s);
    }
    case Activation::kTanh: {
      const float t = tanhf(x);
      return 1.0f - t * t;
    }
  }
  return 1;
}

// --- element types ----------------------------------------------------------------------------------------------

HEED_DEVICE float float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
HEED_DEVICE uint32_t bits_of_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

// Rounds to nearest even; NaN stays NaN.
HEED_DEVICE uint16_t bf16_bits(float value) {
#ifdef __CUDA_ARCH__
  uint16_t rounded;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(rounded) : "f"(value));
  return rounded;
#else
  const uint32_t x = bits_of_float(value);
  if ((x & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>((x >> 16) | 0x40);
  return static_cast<uint16_t>((x + 0x7FFF + (x >> 16 & 1)) >> 16);
#endif
}
HEED_DEVICE float float_of_bf16(uint16_t bits) { return float_of_bits(uint32_t{bits} << 16); }

// An activation that is kept in bf16; all arithmetic is in f32.
struct Bf16 {
  uint16_t bits;
  Bf16() = default;
  HEED_DEVICE explicit Bf16(float value) : bits(bf16_bits(value)) {}
  HEED_DEVICE explicit operator float() const { return float_of_bf16(bits); }
};

// to (+)= value, `to` being f32 or bf16.
template <class T>
HEED_DEVICE void put(float value, bool accumulate, T& to) {
  to = T(accumulate ? float(to) + value : value);
}

// IEEE 754 half precision: rounds to nearest even, too large ones become infinity.
HEED_DEVICE uint16_t f16_bits(float value) {
  const uint32_t x = bits_of_float(value), sign = x >> 16 & 0x8000, magnitude = x & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return static_cast<uint16_t>(sign | 0x7E00 | (magnitude >> 13 & 0x3FF));  // NaN
  if (magnitude >= 0x47800000) return static_cast<uint16_t>(sign | 0x7C00);                             // from 2^16 on
  if (magnitude < 0x38800000) {  // below 2^-14: denormal; adding 0.5 leaves the rounded bits in the lowest places
    return static_cast<uint16_t>(sign | (bits_of_float(float_of_bits(magnitude) + 0.5f) - 0x3F000000));
  }
  return static_cast<uint16_t>(sign | ((magnitude + 0xFFF + (magnitude >> 13 & 1)) - 0x38000000) >> 13);
}
HEED_DEVICE float float_of_f16(uint16_t bits) {
  const uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 0x1F, fraction = bits & 0x3FF;
  if (exponent == 0) {  // fraction * 2^-24, exact
    const float value = static_cast<float>(fraction) * 5.9604644775390625e-8f;
    return sign ? -value : value;
  }
  if (exponent == 31) return float_of_bits(sign | 0x7F800000 | fraction << 13);
  return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

// A matrix's element that is kept in f16.
struct F16 {
  uint16_t bits;
  HEED_DEVICE explicit operator float() const { return float_of_f16(bits); }
};

// An element on its way from one type to another: integers stay exact.
struct Number {
  int64_t integer = 0;
  float real = 0;
  bool is_real = false;
};

HEED_DEVICE Number load_number(DType dtype, const void* data, int64_t i) {
  switch (dtype) {
    case DType::kF32: return {0, static_cast<const float*>(data)[i], true};
    case DType::kBF16: return {0, float_of_bf16(static_cast<const uint16_t*>(data)[i]), true};
    case DType::kF16: return {0, float_of_f16(static_cast<const uint16_t*>(data)[i]), true};
    case DType::kI64: return {static_cast<const int64_t*>(data)[i], 0, false};
    case DType::kI32: return {static_cast<const int32_t*>(data)[i], 0, false};
    case DType::kI8: return {static_cast<const int8_t*>(data)[i], 0, false};
    case DType::kU8: return {static_cast<const uint8_t*>(data)[i], 0, false};
  }
  return {};
}

template <class T>
HEED_DEVICE void store_integer(const Number& n, void* data, int64_t i) {
  static_cast<T*>(data)[i] = n.is_real ? static_cast<T>(n.real) : static_cast<T>(n.integer);
}

HEED_DEVICE void store_number(const Number& n, DType dtype, void* data, int64_t i) {
  const float real = n.is_real ? n.real : static_cast<float>(n.integer);
  switch (dtype) {
    case DType::kF32: static_cast<float*>(data)[i] = real; return;
    case DType::kBF16: static_cast<uint16_t*>(data)[i] = bf16_bits(real); return;
    case DType::kF16: static_cast<uint16_t*>(data)[i] = f16_bits(real); return;
    case DType::kI64: return store_integer<int64_t>(n, data, i);
    case DType::kI32: return store_integer<int32_t>(n, data, i);
    case DType::kI8: return store_integer<int8_t>(n, data, i);
    case DType::kU8: return store_integer<uint8_t>(n, data, i);
  }
}

// --- Adam -------------------------------------------------------------------------------------------------------

// A run's step with what is computed once for all elements.
struct AdamStep {
  float beta1, rest1, beta2, rest2, step, root, epsilon, scale, decay, shrink;

  AdamStep(const AdamParams& p, const AdamRun& run)
      : beta1(p.beta1),
        rest1(1 - p.beta1),
        beta2(p.beta2),
        rest2(1 - p.beta2),
        step(static_cast<float>(rate(p, run) / correction(p.beta1, p.step))),
        root(static_cast<float>(1 / std::sqrt(correction(p.beta2, p.step)))),
        epsilon(p.epsilon),
        scale(p.gradient_scale),
        decay(p.decoupled ? 0.0f : weight_decay(p, run)),
        shrink(p.decoupled ? 1 - rate(p, run) * weight_decay(p, run) : 1.0f) {}

  // Kingma and Ba 2015, algorithm 1; decoupled decay: Loshchilov and Hutter 2019, algorithm 2.
  HEED_DEVICE void operator()(float gradient, float& w, float& m, float& v) const {
    const float g = fmaf(decay, w, scale * gradient);
    m = fmaf(beta1, m, rest1 * g);
    v = fmaf(beta2, v, rest2 * (g * g));
    w = fmaf(-step, m / fmaf(sqrtf(v), root, epsilon), w * shrink);
  }

 private:
  static float rate(const AdamParams& p, const AdamRun& run) { return p.learning_rate * run.rate; }
  static float weight_decay(const AdamParams& p, const AdamRun& run) { return run.decays ? p.weight_decay : 0; }
  static double correction(float beta, int64_t step) {
    return 1 - std::pow(static_cast<double>(beta), static_cast<double>(step));
  }
};

}  // namespace heed::cuda

namespace heed {
template <>
inline constexpr DType kDTypeOf<cuda::Bf16> = DType::kBF16;
template <>
inline constexpr DType kDTypeOf<cuda::F16> = DType::kF16;
}  // namespace heed
