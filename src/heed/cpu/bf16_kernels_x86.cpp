// Kernels for x86 CPUs with AVX512_BF16, and with AMX (Intel 64 and IA-32 Architectures Optimization Reference Manual,
// chapter 20).
//
// AMX multiplies 2 x 2 tiles at a time: four sums of 16 x 16 stay in registers over the whole depth, and each tile that
// is read serves two of them. Numbers that are denormal in bf16 count as zero, as these instructions have it.
#include "heed/cpu/bf16_kernels.h"

#if defined(__x86_64__) && defined(__linux__)
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own intrinsics (its bug 105593)
#endif
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#define HEED_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#define HEED_AMX __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,amx-tile,amx-bf16,prfchw")))

namespace heed::cpu::bf16 {
namespace {

// The 16 x 16 pairs of a tile turned about the diagonal: first within blocks of 4 x 4, then the blocks.
HEED_AVX512 inline void transpose_pairs(__m512i (&rows)[16]) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 4) {
    const __m512i a = _mm512_unpacklo_epi32(rows[i], rows[i + 1]), b = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    const __m512i c = _mm512_unpacklo_epi32(rows[i + 2], rows[i + 3]),
                  d = _mm512_unpackhi_epi32(rows[i + 2], rows[i + 3]);
    t[i] = _mm512_unpacklo_epi64(a, c);
    t[i + 1] = _mm512_unpackhi_epi64(a, c);
    t[i + 2] = _mm512_unpacklo_epi64(b, d);
    t[i + 3] = _mm512_unpackhi_epi64(b, d);
  }
  for (int i = 0; i < 4; ++i) {
    const __m512i a = _mm512_shuffle_i32x4(t[i], t[i + 4], 0x88), b = _mm512_shuffle_i32x4(t[i], t[i + 4], 0xDD);
    const __m512i c = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0x88),
                  d = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0xDD);
    rows[i] = _mm512_shuffle_i32x4(a, c, 0x88);
    rows[i + 8] = _mm512_shuffle_i32x4(a, c, 0xDD);
    rows[i + 4] = _mm512_shuffle_i32x4(b, d, 0x88);
    rows[i + 12] = _mm512_shuffle_i32x4(b, d, 0xDD);
  }
}

// One block of up to 32 x 32.
struct Source {
  const float* x;
  int64_t stride, rows;
  __mmask16 columns[2];  // of each half that are there
};

HEED_AVX512 inline __m512 load_half(const Source& s, int64_t row, int half) {
  const bool there = row < s.rows;
  return _mm512_maskz_loadu_ps(there ? s.columns[half] : 0, s.x + (there ? row * s.stride : 0) + half * 16);
}

// The halves' bf16 parts, each the nearest to what those before leave of a number.
template <int kParts>
HEED_AVX512 inline void round_two(__m512 low, __m512 high, __m512i (&parts)[kParts]) {
  for (int part = 0; part < kParts; ++part) {
    const auto rounded = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
    parts[part] = rounded;
    if (part + 1 == kParts) break;
    const auto widened = [&](int half) HEED_AVX512 {
      const __m256i numbers = half == 0 ? _mm512_castsi512_si256(rounded) : _mm512_extracti64x4_epi64(rounded, 1);
      return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(numbers), 16));
    };
    low = _mm512_sub_ps(low, widened(0));
    high = _mm512_sub_ps(high, widened(1));
  }
}

// The parts of tile `t` of the block: 32 columns of each of 16 rows or, where rows are the depth, 16 columns of 16
// pairs of rows.
template <Layout kLayout, int kParts>
HEED_AVX512 inline void load_tiles(const Source& s, int t, __m512i (&tiles)[kParts][16]) {
  const __m512i interleave = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22,
                                              6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  for (int i = 0; i < 16; ++i) {
    __m512i parts[kParts];
    if constexpr (rows_are_depth(kLayout)) round_two(load_half(s, 2 * i, t), load_half(s, 2 * i + 1, t), parts);
    else round_two(load_half(s, t * 16 + i, 0), load_half(s, t * 16 + i, 1), parts);
    for (int part = 0; part < kParts; ++part)
      tiles[part][i] = rows_are_depth(kLayout) ? _mm512_permutexvar_epi16(interleave, parts[part]) : parts[part];
  }
}

template <Layout kLayout, int kParts>
HEED_AVX512 void pack_band(const Band& band) {
  for (int64_t c = 0; c < band.cols; c += 32) {
    const int64_t left = band.cols - c;
    const auto mask = [](int64_t n) { return static_cast<__mmask16>(n >= 16 ? 0xFFFF : n > 0 ? (1 << n) - 1 : 0); };
    // Nothing is read beyond the row: a half without columns is masked out.
    const Source source{band.x + c, band.stride, band.rows, {mask(left), mask(left - 16)}};
    uint16_t* out = band.out + c / 32 * band.block_stride;
    for (int t = 0; t < 2; ++t) {
      __m512i tiles[kParts][16];
      load_tiles<kLayout>(source, t, tiles);
      for (int part = 0; part < kParts; ++part) {
        if constexpr (kLayout == Layout::kFirstTransposed || kLayout == Layout::kSecondTransposed)
          transpose_pairs(tiles[part]);
        uint16_t* to = out + part * kStepElements + t * kTileElements;
        for (int i = 0; i < 16; ++i) _mm512_store_si512(to + i * 32, tiles[part][i]);
      }
    }
  }
}

template <int kParts>
void pack(Layout layout, const Band& band) {
  switch (layout) {
    case Layout::kFirst: return pack_band<Layout::kFirst, kParts>(band);
    case Layout::kFirstTransposed: return pack_band<Layout::kFirstTransposed, kParts>(band);
    case Layout::kSecond: return pack_band<Layout::kSecond, kParts>(band);
    case Layout::kSecondTransposed: return pack_band<Layout::kSecondTransposed, kParts>(band);
  }
}

// Adds the upper left of `sums` [32][32] to a block of c, or puts it there.
void store_part(const float* sums, const Product& p, const Block& block) {
  for (int64_t r = 0; r < block.rows; ++r)
    for (int64_t j = 0; j < block.cols; ++j) {
      float& to = block.c[r * p.c_stride + j];
      to = sums[r * kPanel + j] + (p.accumulate ? to : 0);
    }
}

// Eight rows of a tile by both tiles of the second factor's panel.
HEED_AVX512 inline void multiply_rows(const uint16_t* a, const uint16_t* b, int64_t steps, bool accumulate, float* c,
                                      int64_t c_stride) {
  constexpr int kRows = 8;
  __m512 acc[kRows][2];
  for (int r = 0; r < kRows; ++r)
    for (int t = 0; t < 2; ++t)
      acc[r][t] = accumulate ? _mm512_loadu_ps(c + r * c_stride + t * 16) : _mm512_setzero_ps();
  for (int64_t step = 0; step < steps; ++step, a += kStepElements, b += kStepElements) {
    for (int pair = 0; pair < 16; ++pair) {
      const auto b0 = reinterpret_cast<__m512bh>(_mm512_load_si512(b + pair * 32));
      const auto b1 = reinterpret_cast<__m512bh>(_mm512_load_si512(b + kTileElements + pair * 32));
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        int both;
        std::memcpy(&both, a + r * 32 + pair * 2, sizeof both);
        const auto ar = reinterpret_cast<__m512bh>(_mm512_set1_epi32(both));
        acc[r][0] = _mm512_dpbf16_ps(acc[r][0], ar, b0);
        acc[r][1] = _mm512_dpbf16_ps(acc[r][1], ar, b1);
      }
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int t = 0; t < 2; ++t) _mm512_storeu_ps(c + r * c_stride + t * 16, acc[r][t]);
}

HEED_AVX512 void multiply_avx512(const Product& p) {
  for_each_block(p, [&](const Block& block) HEED_AVX512 {
    alignas(64) float sums[kPanel * kPanel];
    const bool whole = block.whole();
    for (int64_t i = 0; i < block.rows; i += 8)
      multiply_rows(block.a + i / 16 * kTileElements + i % 16 * 32, block.b, p.steps, whole && p.accumulate,
                    whole ? block.c + i * p.c_stride : sums + i * kPanel, whole ? p.c_stride : kPanel);
    if (!whole) store_part(sums, p, block);
  });
}

// The argument of LDTILECFG: eight tiles of 16 rows of 64 bytes.
struct alignas(64) TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Into the registers of the first or second factor, the two tiles of a part.
HEED_AMX inline void load_first(const uint16_t* a) {
  _tile_loadd(4, a, 64);
  _tile_loadd(5, a + kTileElements, 64);
}
HEED_AMX inline void load_second(const uint16_t* b) {
  _tile_loadd(6, b, 64);
  _tile_loadd(7, b + kTileElements, 64);
}
HEED_AMX inline void add_products() {
  _tile_dpbf16ps(0, 4, 6);
  _tile_dpbf16ps(1, 4, 7);
  _tile_dpbf16ps(2, 5, 6);
  _tile_dpbf16ps(3, 5, 7);
}

// One step. Of f32's parts each two that follow have a factor in common, and the small products come first as far as
// that allows.
template <int kParts>
HEED_AMX inline void add_step(const uint16_t* a, const uint16_t* b) {
  if constexpr (kParts == 1) {
    load_first(a);
    load_second(b);
    add_products();
  } else {
    static_assert(kParts == kF32Parts);
    const uint16_t *a_middle = a + kStepElements, *a_low = a_middle + kStepElements;
    const uint16_t *b_middle = b + kStepElements, *b_low = b_middle + kStepElements;
    load_first(a_low);
    load_second(b);
    add_products();
    load_first(a_middle);
    add_products();
    load_second(b_middle);
    add_products();
    load_first(a);
    add_products();
    load_second(b_low);
    add_products();
    load_second(b);
    add_products();
  }
}

// A whole block, to c.
template <int kParts>
HEED_AMX inline void multiply_tiles(const Block& block, int64_t steps, bool accumulate, float* c, int64_t c_stride) {
  const auto bytes = static_cast<size_t>(c_stride) * sizeof(float);
  float* const lower = c + 16 * c_stride;
  if (accumulate) {
    _tile_loadd(0, c, bytes);
    _tile_loadd(1, c + 16, bytes);
    _tile_loadd(2, lower, bytes);
    _tile_loadd(3, lower + 16, bytes);
  } else {
    // The lines of c are fetched while the sums are made.
    for (int64_t r = 0; r < kPanel; ++r) {
      __builtin_prefetch(c + r * c_stride, 1);
      __builtin_prefetch(c + r * c_stride + 16, 1);
    }
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t step = 0; step < steps; ++step)
    add_step<kParts>(block.a + step * kParts * kStepElements, block.b + step * kParts * kStepElements);
  _tile_stored(0, c, bytes);
  _tile_stored(1, c + 16, bytes);
  _tile_stored(2, lower, bytes);
  _tile_stored(3, lower + 16, bytes);
}

template <int kParts>
HEED_AMX void multiply_amx(const Product& p) {
  const TileShapes shapes;
  _tile_loadconfig(&shapes);
  for_each_block(p, [&](const Block& block) HEED_AMX {
    if (block.whole()) return multiply_tiles<kParts>(block, p.steps, p.accumulate, block.c, p.c_stride);
    alignas(64) float sums[kPanel * kPanel];
    multiply_tiles<kParts>(block, p.steps, false, sums, kPanel);
    store_part(sums, p, block);
  });
  _tile_release();
}

// What the system saves of the registers when it switches threads.
uint64_t saved_registers() {
  uint32_t low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

bool has_avx512_bf16() {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 1, &a, &b, &c, &d)) return false;
  return (a >> 5 & 1) != 0;
}

// Also asks the system for the tiles' registers: Linux saves them only for processes that did.
bool has_amx() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  constexpr uint64_t kTileState = uint64_t{3} << 17;
  uint32_t a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  const bool instructions = (d >> 22 & 1) != 0 && (d >> 24 & 1) != 0;
  return instructions && (saved_registers() & kTileState) == kTileState &&
         ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

constexpr Kernels kAvx512{"AVX512_BF16", 1, pack<1>, multiply_avx512};
constexpr Kernels kAmx{"AMX", 1, pack<1>, multiply_amx<1>};
constexpr Kernels kAmxF32{"AMX", kF32Parts, pack<kF32Parts>, multiply_amx<kF32Parts>};

}  // namespace

std::vector<const Kernels*> x86_kernels(DType dtype, bool amx_allowed) {
  std::vector<const Kernels*> found;
  if (!has_avx512_bf16()) return found;
  const bool f32 = dtype == DType::kF32;
  if (amx_allowed && has_amx()) found.push_back(f32 ? &kAmxF32 : &kAmx);
  if (!f32) found.push_back(&kAvx512);  // f32 ones of it would be three times as slow as plain multiply-adds
  return found;
}

}  // namespace heed::cpu::bf16

#else

namespace heed::cpu::bf16 {
std::vector<const Kernels*> x86_kernels(DType /*dtype*/, bool /*amx_allowed*/) { return {}; }
}  // namespace heed::cpu::bf16

#endif
