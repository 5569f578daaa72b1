// Products of bf16 factors with f32 sums: the form that factors are stored in, and the kernels that work on it.
//
// So are products of f32 factors, each number cut into three bf16 ones, high + middle + low, which hold all its 24 bits
// (Henry, Tang and Heinecke 2019, "Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision
// Computations"): of the nine products of parts, the three that lie below f32's own rounding are left out.
//
// The first factor is cut into panels of 32 rows, the second into panels of 32 columns; a panel is a sequence of steps
// of 32 along what is summed over, and each step is two tiles of 16 rows of 64 bytes, as AMX's registers hold them:
//   first factor:  tile[row][depth]               16 rows x 32
//   second factor: tile[depth / 2][column][2]     16 pairs x 16 columns
// A step of f32 factors is three such steps: all that is high, all middle, all low. What lies beyond the matrix is
// zero. All kernels share the form: tiles of AMX, dot products of AVX512_BF16, or f32 multiply-adds of the widened
// numbers where a CPU has neither.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "heed/core/dtype.h"

namespace heed::cpu::bf16 {

constexpr int64_t kPanel = 32;  // rows or columns
constexpr int64_t kStep = 32;   // of the depth
constexpr int64_t kTileElements = 512;
constexpr int64_t kStepElements = 2 * kTileElements;  // of one part
constexpr int kF32Parts = 3;

// Which factor a matrix becomes, and whether it is transposed for that.
enum class Layout : uint8_t { kFirst, kFirstTransposed, kSecond, kSecondTransposed };

// Whether the rows of the matrix that is packed lie along the depth.
constexpr bool rows_are_depth(Layout layout) { return layout == Layout::kFirstTransposed || layout == Layout::kSecond; }

// Up to 32 rows of a matrix; the blocks of 32 columns are packed `block_stride` elements apart.
struct Band {
  const float* x;
  int64_t stride, rows, cols;
  uint16_t* out;
  int64_t block_stride;
};

// c [rows, cols] = a b (+ c), from the same `steps` of each panel.
struct Product {
  const uint16_t* a;
  int64_t a_panel_stride;  // elements
  const uint16_t* b;
  int64_t b_panel_stride;
  int64_t steps;
  float* c;
  int64_t c_stride, rows, cols;
  bool accumulate;
};

struct Kernels {
  std::string_view name;  // of the instructions; empty: emulated
  int parts;              // 1: factors rounded to bf16; kF32Parts: f32 ones
  void (*pack)(Layout layout, const Band& band);
  void (*multiply)(const Product& product);
};

// Those for factors of `dtype`, f32 or bf16, that this CPU can run, fastest first; the last is the emulation.
const std::vector<const Kernels*>& supported_kernels(DType dtype);
// The fastest, unless use_kernels said otherwise; for f32 nullptr where that is the emulation: sgemm is faster.
const Kernels* kernels(DType dtype);
// For tests; not while products are computed. nullptr returns to the fastest.
void use_kernels(DType dtype, const Kernels* kernels);

// With AVX512_BF16 or AMX, as far as CPU and system have them: a part of supported_kernels().
std::vector<const Kernels*> x86_kernels(DType dtype, bool amx_allowed);

// Up to 32 x 32 of a product.
struct Block {
  const uint16_t *a, *b;  // panels
  float* c;
  int64_t rows, cols;

  bool whole() const { return rows == kPanel && cols == kPanel; }
};

// Calls f(Block) for each block of a product, the factor with more panels outside: then a panel of it stays in the
// first-level cache while the other comes from the second-level one.
template <class F>
inline void for_each_block(const Product& p, const F& f) {
  const int64_t down = (p.rows + kPanel - 1) / kPanel, across = (p.cols + kPanel - 1) / kPanel;
  for (int64_t n = 0; n < down * across; ++n) {
    const int64_t i = down > across ? n / across : n % down, j = down > across ? n % across : n / down;
    const int64_t rows = p.rows - i * kPanel, cols = p.cols - j * kPanel;
    f(Block{p.a + i * p.a_panel_stride, p.b + j * p.b_panel_stride, p.c + i * kPanel * p.c_stride + j * kPanel,
            rows < kPanel ? rows : kPanel, cols < kPanel ? cols : kPanel});
  }
}

}  // namespace heed::cpu::bf16
