// What attention's forward and backward share: blocks of queries, scratch memory, small products, and score rows.
//
// Legend: T keys of a segment, H head_dim, Tp and Hp the same rounded up to whole vectors, kQueryBlock queries at a
// time. Keys and values of one head are staged once per segment in scratch that fits the second-level cache for
// sentences: transposed [H][Tp] where scores are computed, as they are [T][Hp] where rows are summed.
#if defined(HEED_CPU_ATTENTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HEED_CPU_ATTENTION_INL_H_
#undef HEED_CPU_ATTENTION_INL_H_
#else
#define HEED_CPU_ATTENTION_INL_H_
#endif

#include <cmath>
#include <vector>

#include "heed/cpu/dropout-inl.h"
#include "heed/cpu/math-inl.h"
#include "heed/cpu/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr int64_t kQueryBlock = 4 * kTileRows;

HWY_INLINE int64_t round_up(int64_t n) { return (n + lane_count() - 1) / lane_count() * lane_count(); }

// Multiplies a tile's sums by a constant.
struct ScaledBy {
  float factor;
  HWY_INLINE V operator()(int, int, V value) const { return hn::Mul(value, hn::Set(D(), factor)); }
};

// c [rows, columns] = factor a b (+ c), all in scratch: b's and c's rows are padded to whole vectors.
HWY_INLINE void multiply_small(MatrixA a, int64_t rows, const float* b, int64_t b_stride, int64_t depth, float* c,
                               int64_t c_stride, int64_t columns, float factor, bool accumulate) {
  const int64_t lanes = lane_count();
  const ScaledBy epilogue{factor};
  for (int64_t r = 0; r < rows; r += kTileRows) {
    const int64_t n = std::min<int64_t>(kTileRows, rows - r);
    const MatrixA block{a.data + r * a.row_stride, a.row_stride, a.k_stride};
    for (int64_t j = 0; j < columns; j += 2 * lanes) {
      float* to = c + r * c_stride + j;
      if (columns - j > lanes)
        tile_rows<2>(n, block, b + j, b_stride, depth, to, c_stride, columns - j, accumulate, epilogue);
      else tile_rows<1>(n, block, b + j, b_stride, depth, to, c_stride, columns - j, accumulate, epilogue);
    }
  }
}

// Copies [rows, cols] into scratch rows of `padded` floats, the rest zero.
HWY_INLINE void stage(const float* x, int64_t stride, int64_t rows, int64_t cols, int64_t padded, float* out) {
  const int64_t lanes = lane_count();
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < padded; c += lanes)
      hn::StoreU(load(x + r * stride + c, cols - c), FloatTag(), out + r * padded + c);
}

// The transpose of [rows, cols] as [cols][padded], the rest zero.
HWY_INLINE void stage_transposed(const float* x, int64_t stride, int64_t rows, int64_t cols, int64_t padded,
                                 float* out) {
  for (int64_t c = 0; c < cols; ++c) {
    float* to = out + c * padded;
    for (int64_t r = 0; r < rows; ++r) to[r] = x[r * stride + c];
    for (int64_t r = rows; r < padded; ++r) to[r] = 0;
  }
}

// How many keys query i of the segment sees.
HWY_INLINE int64_t visible_keys(const Segment& s, bool causal, int64_t i) {
  return causal ? std::clamp<int64_t>(s.q_offset + i + 1, 0, s.k_len) : s.k_len;
}

// Turns a row of n scores into probabilities in place (zeros up to `padded`); returns the log of the sum.
HWY_INLINE float softmax_scores(float* s, int64_t n, int64_t padded) {
  const FloatTag d;
  const int64_t lanes = lane_count();
  if (n == 0) {
    std::fill_n(s, padded, 0.0f);
    return 0;
  }
  const FloatVec lowest = hn::Set(d, -3.0e38f);
  FloatVec best = lowest;
  for (int64_t c = 0; c < n; c += lanes) {
    const FloatVec v = hn::LoadU(d, s + c);
    best = hn::Max(best, n - c >= lanes ? v : hn::IfThenElse(hn::FirstN(d, static_cast<size_t>(n - c)), v, lowest));
  }
  const float max = max_lanes(best);
  const FloatVec shift = hn::Set(d, max);
  FloatVec sum = hn::Zero(d);
  for (int64_t c = 0; c < padded; c += lanes) {
    FloatVec e = hn::Zero(d);
    if (n - c >= lanes) e = hn::Exp(d, hn::Sub(hn::LoadU(d, s + c), shift));
    else if (n > c)
      e = hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(n - c)),
                             hn::Exp(d, hn::Sub(hn::LoadU(d, s + c), shift)));
    sum = hn::Add(sum, e);
    hn::StoreU(e, d, s + c);
  }
  const float total = sum_lanes(sum);
  const FloatVec inverse = hn::Set(d, 1.0f / total);
  for (int64_t c = 0; c < n; c += lanes) hn::StoreU(hn::Mul(hn::LoadU(d, s + c), inverse), d, s + c);
  return max + std::log(total);
}

// Calls f(factors, first column, columns) for the dropout factors of one row of probabilities, 128 at a time.
template <class F>
HWY_INLINE void for_dropout_groups(const Dropout& dropout, const Segment& segment, int head, int64_t query, int64_t n,
                                   const F& f) {
  alignas(64) float factors[kDropoutGroup];
  const DropoutRow random(dropout, segment.example, static_cast<uint32_t>(segment.q_offset + query),
                          static_cast<uint32_t>(head));
  for (int64_t c = 0; c < n; c += kDropoutGroup) {
    random.group(c / kDropoutGroup, factors);
    f(factors, c, std::min(kDropoutGroup, n - c));
  }
}

// x[c] *= factors, for one row.
HWY_INLINE void drop_row(const Dropout& dropout, const Segment& segment, int head, int64_t query, int64_t n, float* x) {
  const FloatTag d;
  const int64_t lanes = lane_count();
  for_dropout_groups(dropout, segment, head, query, n,
                     [&](const float* factors, int64_t begin, int64_t count) HWY_ATTR {
                       for (int64_t c = 0; c < count; c += lanes)
                         hn::StoreU(hn::Mul(hn::LoadU(d, x + begin + c), hn::LoadU(d, factors + c)), d, x + begin + c);
                     });
}

// One thread's scratch: grows to the largest segment seen and is kept.
class Scratch {
 public:
  // `sizes` floats each, 64-byte aligned relative to each other.
  template <size_t N>
  std::array<float*, N> take(const std::array<int64_t, N>& sizes) {
    int64_t total = 16;
    for (const int64_t size : sizes) total += (size + 15) / 16 * 16;
    if (static_cast<int64_t>(memory_.size()) < total) memory_.resize(static_cast<size_t>(total));
    auto address = reinterpret_cast<uintptr_t>(memory_.data());
    float* next = memory_.data() + (64 - address % 64) % 64 / sizeof(float);
    std::array<float*, N> parts;
    for (size_t i = 0; i < N; ++i) {
      parts[i] = next;
      next += (sizes[i] + 15) / 16 * 16;
    }
    return parts;
  }

 private:
  std::vector<float> memory_;
};

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
