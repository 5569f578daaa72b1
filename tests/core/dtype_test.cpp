#include "heed/core/dtype.h"

#include <gtest/gtest.h>

#include <cmath>

#include "heed/base/error.h"
#include "heed/core/tensor_view.h"

namespace heed {
namespace {

TEST(DType, NamesAndSizes) {
  for (const auto dtype : {DType::kF32, DType::kBF16, DType::kF16, DType::kI64, DType::kI32, DType::kI8, DType::kU8})
    EXPECT_EQ(dtype_from_name(name_of(dtype)), dtype);
  EXPECT_EQ(size_of(DType::kI64), 8u);
  EXPECT_EQ(size_of(DType::kBF16), 2u);
  EXPECT_THROW(dtype_from_name("f64"), DTypeError);
}

// Every half value survives the way through f32, and the compiler's own _Float16 agrees on all of them.
TEST(Float16, RoundTripsAllValues) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    Float16 half;
    half.bits = static_cast<uint16_t>(bits);
    const auto value = static_cast<float>(half);
    const auto expected = static_cast<float>(std::bit_cast<_Float16>(half.bits));
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(value));
      EXPECT_TRUE(std::isnan(static_cast<float>(Float16(value))));
      continue;
    }
    ASSERT_EQ(value, expected) << bits;
    ASSERT_EQ(Float16(value).bits, half.bits) << bits;
  }
}

TEST(Float16, RoundsAsTheCompilerDoes) {
  for (uint32_t i = 0; i < 2000000; ++i) {
    const auto value = std::bit_cast<float>(i * 2147u);
    if (std::isnan(value)) continue;
    ASSERT_EQ(Float16(value).bits, std::bit_cast<uint16_t>(static_cast<_Float16>(value))) << value;
  }
}

TEST(BFloat16, RoundsToNearestEven) {
  EXPECT_EQ(static_cast<float>(BFloat16(1.0f)), 1.0f);
  EXPECT_EQ(BFloat16(std::bit_cast<float>(0x3F808000u)).bits, 0x3F80);  // a tie, to even
  EXPECT_EQ(BFloat16(std::bit_cast<float>(0x3F818000u)).bits, 0x3F82);
  EXPECT_EQ(BFloat16(std::bit_cast<float>(0x3F808001u)).bits, 0x3F81);
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(std::bit_cast<float>(0x7F800001u)))));
  EXPECT_TRUE(std::isinf(static_cast<float>(BFloat16(3.4e38f))));
}

TEST(TensorView, ReadsOnlyItsOwnType) {
  float value = 3;
  const TensorView view{&value, DType::kF32, {1}, 1};
  EXPECT_EQ(*view.as<float>(), 3);
  EXPECT_THROW(view.as<int32_t>(), DTypeError);
}

}  // namespace
}  // namespace heed
