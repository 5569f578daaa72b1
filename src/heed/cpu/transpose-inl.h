// Transposing small matrices into scratch.
#if defined(HEED_CPU_TRANSPOSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HEED_CPU_TRANSPOSE_INL_H_
#undef HEED_CPU_TRANSPOSE_INL_H_
#else
#define HEED_CPU_TRANSPOSE_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The transpose of [rows, cols] as [cols][padded], the rest zero: blocks of 4 x 4 in 128-bit registers.
HWY_INLINE void stage_transposed(const float* x, int64_t stride, int64_t rows, int64_t cols, int64_t padded,
                                 float* out) {
  int64_t r = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::CappedTag<float, 4> d;
  const hn::Repartition<double, decltype(d)> d64;
  for (; r + 4 <= rows; r += 4)
    for (int64_t c = 0; c + 4 <= cols; c += 4) {
      const float* from = x + r * stride + c;
      const auto a0 = hn::LoadU(d, from), a1 = hn::LoadU(d, from + stride);
      const auto a2 = hn::LoadU(d, from + 2 * stride), a3 = hn::LoadU(d, from + 3 * stride);
      const auto low01 = hn::BitCast(d64, hn::InterleaveLower(d, a0, a1));
      const auto low23 = hn::BitCast(d64, hn::InterleaveLower(d, a2, a3));
      const auto high01 = hn::BitCast(d64, hn::InterleaveUpper(d, a0, a1));
      const auto high23 = hn::BitCast(d64, hn::InterleaveUpper(d, a2, a3));
      float* to = out + c * padded + r;
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d64, low01, low23)), d, to);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d64, low01, low23)), d, to + padded);
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d64, high01, high23)), d, to + 2 * padded);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d64, high01, high23)), d, to + 3 * padded);
    }
  for (int64_t c = cols / 4 * 4; c < cols; ++c)
    for (int64_t i = 0; i < r; ++i) out[c * padded + i] = x[i * stride + c];
#endif
  for (int64_t c = 0; c < cols; ++c) {
    float* to = out + c * padded;
    for (int64_t i = r; i < rows; ++i) to[i] = x[i * stride + c];
    for (int64_t i = rows; i < padded; ++i) to[i] = 0;
  }
}

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
