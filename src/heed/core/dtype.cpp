#include "heed/core/dtype.h"

#include <array>

#include "heed/base/error.h"

namespace heed {
namespace {

struct Info {
  std::string_view name;
  size_t bytes;
};

constexpr std::array<Info, 7> kInfo{
    {{"f32", 4}, {"bf16", 2}, {"f16", 2}, {"i64", 8}, {"i32", 4}, {"i8", 1}, {"u8", 1}}};

}  // namespace

size_t size_of(DType dtype) { return kInfo[static_cast<size_t>(dtype)].bytes; }

std::string_view name_of(DType dtype) { return kInfo[static_cast<size_t>(dtype)].name; }

DType dtype_from_name(std::string_view name) {
  for (size_t i = 0; i < kInfo.size(); ++i)
    if (kInfo[i].name == name) return static_cast<DType>(i);
  fail<DTypeError>("unknown element type \"{}\"; expected f32, bf16, f16, i64, i32, i8 or u8", name);
}

Float16::Float16(float value) {
  const auto x = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(x >> 16 & 0x8000);
  const uint32_t magnitude = x & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) {
    bits = sign | 0x7E00;
  } else if (magnitude >= 0x477FF000) {  // rounds to 65536 or more
    bits = sign | 0x7C00;
  } else if (magnitude >= 0x38800000) {  // a normal half: rebias the exponent and round the 13 lost bits
    const uint32_t rounded = magnitude + 0xFFF + (magnitude >> 13 & 1);
    bits = static_cast<uint16_t>(sign | (rounded - 0x38000000) >> 13);
  } else {  // a subnormal half: let the f32 adder round at 2^-24
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    bits = static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000));
  }
}

Float16::operator float() const {
  const uint32_t sign = uint32_t{bits} << 16 & 0x80000000;
  const uint32_t magnitude = bits & 0x7FFF;
  if (magnitude >= 0x7C00) return std::bit_cast<float>(sign | 0x7F800000 | (magnitude & 0x3FF) << 13);
  if (magnitude >= 0x400) return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000));
  const float value = static_cast<float>(magnitude) * 0x1p-24f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
}

}  // namespace heed
