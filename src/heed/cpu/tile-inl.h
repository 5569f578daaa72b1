// The one inner loop of all our matrix products: a register tile C[i, j] = sum over k of A(i, k) B[k, j], in order of k
// with fused multiply-adds, one accumulator per element. A is read by broadcast with free strides, B by whole vectors,
// of f32 or of bf16 and f16 that are widened on the way.
//
// Since an element is one chain of additions over k, its value depends on neither the tile's size nor the vector width:
// a row computed alone equals the same row in a batch of 64, bit for bit.
//
// Included once per instruction set (Highway's foreach_target), hence the guard.
#if defined(HEED_CPU_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HEED_CPU_TILE_INL_H_
#undef HEED_CPU_TILE_INL_H_
#else
#define HEED_CPU_TILE_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "heed/core/dtype.h"
#include "heed/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// Rows of a tile of two vectors: as many as leave room for B and the broadcast in the register file.
#if HWY_TARGET <= HWY_AVX3
inline constexpr int kTileRows = 14;
#else
inline constexpr int kTileRows = 6;
#endif

struct MatrixA {
  const float* data;
  int64_t row_stride, k_stride;
};

// Memory that a tile asks for while it computes: two cache lines at each step of its depth loop, `from` and
// `from + second`. A step of 0 asks for the same again, which costs nothing.
struct Prefetch {
  const char* from = nullptr;
  int64_t step = 0, second = 0;  // in bytes
  HWY_INLINE void next() {
    __builtin_prefetch(from, 0, 2);  // into the second-level cache
    __builtin_prefetch(from + second, 0, 2);
    from += step;
  }
};

// A row of B.
template <int kVecs>
HWY_INLINE void load_vectors(const float* b, V (&row)[kVecs]) {
  const D d;
#pragma GCC unroll 8
  for (int v = 0; v < kVecs; ++v) row[v] = hn::LoadU(d, b + v * static_cast<int>(hn::Lanes(d)));
}

// Two vectors in bf16, their lanes in pairs: both are found in the halves of one vector of 32-bit numbers.
HWY_INLINE void load_vectors(const BFloat16* b, V (&row)[2]) {
  const D d;
#if HWY_TARGET == HWY_SCALAR
  for (int v = 0; v < 2; ++v) row[v] = hn::Set(d, static_cast<float>(b[v]));
#else
  const hn::Repartition<uint16_t, D> halves;
  const hn::RebindToUnsigned<D> pairs;
  const auto both = hn::BitCast(pairs, hn::LoadU(halves, reinterpret_cast<const uint16_t*>(b)));
  row[0] = hn::BitCast(d, hn::ShiftLeft<16>(both));
  row[1] = hn::BitCast(d, hn::And(both, hn::Set(pairs, 0xFFFF0000)));
#endif
}

// Two vectors in f16, one behind the other.
HWY_INLINE void load_vectors(const Float16* b, V (&row)[2]) {
  for (int v = 0; v < 2; ++v) row[v] = widened(b + v * static_cast<int>(hn::Lanes(D())));
}

// Writes or adds one tile: kRows rows, kVecs vectors, the last cut to `columns`. `epilogue(row, vector index, value)`
// turns the accumulated sum into what is stored (bias, activation, scale).
template <int kRows, int kVecs, bool kFetch = false, class B, class Epilogue>
HWY_INLINE void tile(MatrixA a, const B* HWY_RESTRICT b, int64_t b_stride, int64_t depth, float* HWY_RESTRICT c,
                     int64_t c_stride, int64_t columns, bool accumulate, const Epilogue& epilogue,
                     Prefetch ahead = {}) {
  const D d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  V acc[kRows][kVecs];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) acc[r][v] = hn::Zero(d);
  const float* ak = a.data;
  for (int64_t k = 0; k < depth; ++k, b += b_stride, ak += a.k_stride) {
    V bv[kVecs];
    if constexpr (kFetch) ahead.next();
    load_vectors(b, bv);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const V x = hn::Set(d, ak[r * a.row_stride]);
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) acc[r][v] = hn::MulAdd(x, bv[v], acc[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    float* row = c + r * c_stride;
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) {
      const int64_t left = columns - v * lanes;
      if (left <= 0) break;
      V value = epilogue(r, v, acc[r][v]);
      if (left >= lanes) {
        if (accumulate) value = hn::Add(value, hn::LoadU(d, row + v * lanes));
        hn::StoreU(value, d, row + v * lanes);
      } else {
        const auto mask = hn::FirstN(d, static_cast<size_t>(left));
        if (accumulate) value = hn::Add(value, hn::MaskedLoad(mask, d, row + v * lanes));
        hn::BlendedStore(value, mask, d, row + v * lanes);
      }
    }
  }
}

// Calls tile<rows, kVecs> for a run-time number of rows in [1, kTileRows].
template <int kVecs, int kRows = kTileRows, bool kFetch = false, class B, class Epilogue>
HWY_INLINE void tile_rows(int64_t rows, MatrixA a, const B* b, int64_t b_stride, int64_t depth, float* c,
                          int64_t c_stride, int64_t columns, bool accumulate, const Epilogue& epilogue,
                          Prefetch ahead = {}) {
  if constexpr (kRows > 1) {
    if (rows < kRows)
      return tile_rows<kVecs, kRows - 1, kFetch>(rows, a, b, b_stride, depth, c, c_stride, columns, accumulate,
                                                 epilogue, ahead);
  }
  tile<kRows, kVecs, kFetch>(a, b, b_stride, depth, c, c_stride, columns, accumulate, epilogue, ahead);
}

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
