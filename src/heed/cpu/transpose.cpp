// Transposing matrices, and the first two dimensions of larger arrays.
//
// Eight rows at a time: their lines stay in the first-level cache while they are read four columns at a time, even
// where the rows are a power of two apart and so compete for the same places.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "heed/cpu/transpose.cpp"
#include <hwy/foreach_target.h>  // must come first: it includes this file once per instruction set

#include <algorithm>
#include <cstring>

#include "heed/base/threads.h"
#include "heed/cpu/cpu_backend.h"
#include "heed/cpu/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {

// out[c][r] = in[r][c] for columns [begin, end) of `rows` rows.
HWY_INLINE void transpose_columns(const float* in, int64_t stride, int64_t rows, int64_t begin, int64_t end, float* out,
                                  int64_t out_stride) {
  int64_t done = 0, whole = begin;  // rows and columns that went in blocks
#if HWY_TARGET != HWY_SCALAR
  constexpr int64_t kRows = 8;
  done = rows / kRows * kRows;
  whole = begin + (end - begin) / 4 * 4;
  for (int64_t r = 0; r < done; r += kRows)
    for (int64_t c = begin; c < whole; c += 4)
      for (int64_t i = r; i < r + kRows; i += 4)
        transpose_4x4(in + i * stride + c, stride, 4, out + c * out_stride + i, out_stride);
#endif
  for (int64_t c = begin; c < end; ++c)
    for (int64_t r = c < whole ? done : 0; r < rows; ++r) out[c * out_stride + r] = in[r * stride + c];
}

void transpose(const TensorView& x, const TensorView& y) {
  const int64_t a = x.shape[0], b = x.shape[1], c = x.shape.rank() == 3 ? x.shape[2] : 1;
  const int64_t x_stride = x.shape.rank() == 3 ? x.row_stride * b : x.row_stride;
  const auto* in = x.as<float>();
  auto* out = y.as<float>();
  constexpr int64_t kBlock = 64;
  parallel_for((b + kBlock - 1) / kBlock, 1 + (1 << 14) / (kBlock * a * c + 1), [&](int64_t begin, int64_t end, int) {
    for (int64_t j = begin * kBlock; j < std::min(end * kBlock, b); j += kBlock) {
      const int64_t last = std::min(j + kBlock, b);
      if (x.shape.rank() == 2) {
        transpose_columns(in, x_stride, a, j, last, out, a);
        continue;
      }
      for (int64_t k = j; k < last; ++k)
        for (int64_t i = 0; i < a; ++i)
          std::memcpy(out + (k * a + i) * c, in + i * x_stride + k * x.row_stride, static_cast<size_t>(c) * 4);
    }
  });
}

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::cpu {
namespace {
HWY_EXPORT(transpose);
}  // namespace

void CpuBackend::transpose(const TensorView& x, const TensorView& y) { HWY_DYNAMIC_DISPATCH(transpose)(x, y); }

}  // namespace heed::cpu
#endif
