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

#if HWY_TARGET != HWY_SCALAR
// Columns [c, c + 4) of four rows as rows of `out`, `out_stride` apart; a row at or beyond `rows` counts as zeros.
HWY_INLINE void transpose_4x4(const float* x, int64_t stride, int64_t rows, float* out, int64_t out_stride) {
  const hn::CappedTag<float, 4> d;
  const hn::Repartition<double, decltype(d)> d64;
  const auto zero = hn::Zero(d);
  const auto a0 = rows > 0 ? hn::LoadU(d, x) : zero, a1 = rows > 1 ? hn::LoadU(d, x + stride) : zero;
  const auto a2 = rows > 2 ? hn::LoadU(d, x + 2 * stride) : zero, a3 = rows > 3 ? hn::LoadU(d, x + 3 * stride) : zero;
  const auto low01 = hn::BitCast(d64, hn::InterleaveLower(d, a0, a1));
  const auto low23 = hn::BitCast(d64, hn::InterleaveLower(d, a2, a3));
  const auto high01 = hn::BitCast(d64, hn::InterleaveUpper(d, a0, a1));
  const auto high23 = hn::BitCast(d64, hn::InterleaveUpper(d, a2, a3));
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d64, low01, low23)), d, out);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d64, low01, low23)), d, out + out_stride);
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d64, high01, high23)), d, out + 2 * out_stride);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d64, high01, high23)), d, out + 3 * out_stride);
}
#endif

// The transpose of [rows, cols] as [cols][padded], the rest zero: blocks of 4 x 4 in 128-bit registers.
HWY_INLINE void stage_transposed(const float* x, int64_t stride, int64_t rows, int64_t cols, int64_t padded,
                                 float* out) {
  int64_t r = 0;  // rows of x, zeros among them, that are done
#if HWY_TARGET != HWY_SCALAR
  for (; r + 4 <= rows; r += 4)
    for (int64_t c = 0; c + 4 <= cols; c += 4)
      transpose_4x4(x + r * stride + c, stride, 4, out + c * padded + r, padded);
  for (; r + 4 <= padded; r += 4)
    for (int64_t c = 0; c + 4 <= cols; c += 4)
      transpose_4x4(x + r * stride + c, stride, rows - r, out + c * padded + r, padded);
  for (int64_t c = cols / 4 * 4; c < cols; ++c)
    for (int64_t i = 0; i < r; ++i) out[c * padded + i] = i < rows ? x[i * stride + c] : 0;
#endif
  if (r == padded) return;
  for (int64_t c = 0; c < cols; ++c) {
    float* to = out + c * padded;
    for (int64_t i = r; i < padded; ++i) to[i] = i < rows ? x[i * stride + c] : 0;
  }
}

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
