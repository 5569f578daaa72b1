// The emulation: bf16 numbers are widened to f32, which holds their products exactly but for the last sum's rounding.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "heed/cpu/bf16_kernels.cpp"
#include <hwy/foreach_target.h>  // must come first: it includes this file once per instruction set

#include <algorithm>
#include <atomic>
#include <cstring>

#include "heed/core/dtype.h"
#include "heed/cpu/bf16_kernels.h"
#include "heed/cpu/cpu_backend.h"

#include <hwy/highway.h>
#include <hwy/targets.h>

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using bf16::kStepElements;
using bf16::kTileElements;
using Lanes16 = hn::CappedTag<float, 16>;
using Vector = hn::Vec<Lanes16>;

// Where element (i, k) of a panel's step lies: i of the panel, k of the depth.
HWY_INLINE int64_t place(bool first, int64_t i, int64_t k) {
  const int64_t tile = i / 16 * kTileElements;
  return tile + (first ? i % 16 * 32 + k : k / 2 * 32 + i % 16 * 2 + k % 2);
}

// A number's parts, each the nearest bf16 to what those before leave of it.
template <int kParts>
HWY_INLINE void put_parts(float x, uint16_t* out) {
  for (int part = 0; part < kParts; ++part, out += kStepElements) {
    const BFloat16 rounded(x);
    *out = rounded.bits;
    x -= static_cast<float>(rounded);
  }
}

template <int kParts>
void pack(bf16::Layout layout, const bf16::Band& band) {
  const bool first = layout == bf16::Layout::kFirst || layout == bf16::Layout::kFirstTransposed;
  const bool rows_are_depth = bf16::rows_are_depth(layout);
  for (int64_t block = 0; block * 32 < band.cols; ++block) {
    uint16_t* out = band.out + block * band.block_stride;
    const int64_t cols = std::min<int64_t>(32, band.cols - block * 32);
    if (band.rows < 32 || cols < 32) std::memset(out, 0, kParts * kStepElements * sizeof(uint16_t));
    for (int64_t r = 0; r < band.rows; ++r) {
      const float* x = band.x + r * band.stride + block * 32;
      for (int64_t c = 0; c < cols; ++c)
        put_parts<kParts>(x[c], out + (rows_are_depth ? place(first, c, r) : place(first, r, c)));
    }
  }
}

// The two numbers of each pair, widened.
HWY_INLINE Vector even(hn::Vec<hn::RebindToUnsigned<Lanes16>> pairs) {
  return hn::BitCast(Lanes16(), hn::ShiftLeft<16>(pairs));
}
HWY_INLINE Vector odd(hn::Vec<hn::RebindToUnsigned<Lanes16>> pairs) {
  const hn::RebindToUnsigned<Lanes16> u;
  return hn::BitCast(Lanes16(), hn::And(pairs, hn::Set(u, 0xFFFF0000u)));
}

// Four rows of a tile of the first factor by one tile of the second, over all steps: sums [4][16].
template <int kParts>
void multiply_tile(const uint16_t* a, const uint16_t* b, int64_t steps, float* sums) {
  const Lanes16 d;
  const hn::RebindToUnsigned<Lanes16> u;
  constexpr int kVectors = static_cast<int>(16 / hn::MaxLanes(Lanes16()));
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  Vector acc[4][kVectors];
  for (auto& row : acc)
    for (auto& v : row) v = hn::Zero(d);
  const auto add_product = [&](const uint16_t* rows, const uint16_t* columns) HWY_ATTR {
    for (int64_t pair = 0; pair < 16; ++pair) {
      for (int v = 0; v < kVectors; ++v) {
        const auto two = hn::Load(u, reinterpret_cast<const uint32_t*>(columns) + pair * 16 + v * lanes);
        const Vector b0 = even(two), b1 = odd(two);
        for (int64_t r = 0; r < 4; ++r) {
          const auto both = hn::Set(u, reinterpret_cast<const uint32_t*>(rows)[r * 16 + pair]);
          acc[r][v] = hn::MulAdd(odd(both), b1, hn::MulAdd(even(both), b0, acc[r][v]));
        }
      }
    }
  };
  for (int64_t step = 0; step < steps; ++step, a += kParts * kStepElements, b += kParts * kStepElements)
    for (int i = kParts - 1; i >= 0; --i)  // the small ones first
      for (int j = kParts - 1 - i; j >= 0; --j) add_product(a + i * kStepElements, b + j * kStepElements);
  for (int64_t r = 0; r < 4; ++r)
    for (int v = 0; v < kVectors; ++v) hn::StoreU(acc[r][v], d, sums + r * 16 + v * lanes);
}

template <int kParts>
void multiply(const bf16::Product& p) {
  bf16::for_each_block(p, [&](const bf16::Block& block) {
    float sums[4 * 16];
    for (int64_t j = 0; j < block.cols; j += 16)
      for (int64_t i = 0; i < block.rows; i += 4) {
        multiply_tile<kParts>(block.a + i / 16 * kTileElements + i % 16 * 32, block.b + j / 16 * kTileElements, p.steps,
                              sums);
        for (int64_t r = 0; r < std::min<int64_t>(4, block.rows - i); ++r)
          for (int64_t k = 0; k < std::min<int64_t>(16, block.cols - j); ++k) {
            float& to = block.c[(i + r) * p.c_stride + j + k];
            to = sums[r * 16 + k] + (p.accumulate ? to : 0);
          }
      }
  });
}

constexpr bf16::Kernels kBf16{"", 1, pack<1>, multiply<1>};
constexpr bf16::Kernels kF32{"", bf16::kF32Parts, pack<bf16::kF32Parts>, multiply<bf16::kF32Parts>};

const bf16::Kernels* emulation(DType dtype) { return dtype == DType::kF32 ? &kF32 : &kBf16; }

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::cpu {
namespace {
HWY_EXPORT(emulation);
}  // namespace

namespace bf16 {
namespace {

std::vector<const Kernels*> find_kernels(DType dtype) {
  std::vector<const Kernels*> found;
  if ((simd_targets() & HWY_AVX3) != 0) found = x86_kernels(dtype, amx_allowed());
  found.push_back(HWY_DYNAMIC_DISPATCH(emulation)(dtype));
  return found;
}

std::atomic<const Kernels*>& chosen(DType dtype) {
  static std::atomic<const Kernels*> f32 = nullptr, bf16 = nullptr;
  return dtype == DType::kF32 ? f32 : bf16;
}

}  // namespace

const std::vector<const Kernels*>& supported_kernels(DType dtype) {
  static const std::vector<const Kernels*> f32 = find_kernels(DType::kF32), bf16 = find_kernels(DType::kBF16);
  return dtype == DType::kF32 ? f32 : bf16;
}

const Kernels* kernels(DType dtype) {
  if (const Kernels* choice = chosen(dtype).load(std::memory_order_relaxed)) return choice;
  const Kernels* fastest = supported_kernels(dtype).front();
  return dtype == DType::kF32 && fastest->name.empty() ? nullptr : fastest;
}

void use_kernels(DType dtype, const Kernels* kernels) { chosen(dtype) = kernels; }

}  // namespace bf16
}  // namespace heed::cpu
#endif
