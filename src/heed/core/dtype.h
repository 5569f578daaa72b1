// Element types of tensors, and conversions of the 16-bit floating-point ones.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace heed {

enum class DType : uint8_t { kF32, kBF16, kF16, kI64, kI32, kI8, kU8 };

size_t size_of(DType dtype);              // bytes of one element
std::string_view name_of(DType dtype);    // "f32", "bf16", …
DType dtype_from_name(std::string_view);  // the inverse; throws DTypeError

// bf16: the upper half of an f32. Rounds to nearest even; NaN stays NaN.
struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  explicit BFloat16(float value) {
    const auto x = std::bit_cast<uint32_t>(value);
    const bool nan = (x & 0x7FFFFFFF) > 0x7F800000;
    bits = static_cast<uint16_t>(nan ? (x >> 16) | 0x40 : (x + 0x7FFF + (x >> 16 & 1)) >> 16);
  }
  explicit operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }
};

// IEEE 754 half precision. Rounds to nearest even; overflow becomes infinity.
struct Float16 {
  uint16_t bits = 0;
  Float16() = default;
  explicit Float16(float value);
  explicit operator float() const;
};

template <class T>
inline constexpr DType kDTypeOf = DType::kU8;
template <>
inline constexpr DType kDTypeOf<float> = DType::kF32;
template <>
inline constexpr DType kDTypeOf<BFloat16> = DType::kBF16;
template <>
inline constexpr DType kDTypeOf<Float16> = DType::kF16;
template <>
inline constexpr DType kDTypeOf<int64_t> = DType::kI64;
template <>
inline constexpr DType kDTypeOf<int32_t> = DType::kI32;
template <>
inline constexpr DType kDTypeOf<int8_t> = DType::kI8;

}  // namespace heed
