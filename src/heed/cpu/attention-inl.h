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
#include "heed/cpu/transpose-inl.h"

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

// Not inlined: its 28 tile sizes would fill the instruction cache once for each product.
// c [rows, columns] = factor a b (+ c), all in scratch: b's and c's rows are padded to whole vectors.
inline HWY_NOINLINE void multiply_small(MatrixA a, int64_t rows, const float* b, int64_t b_stride, int64_t depth,
                                        float* c, int64_t c_stride, int64_t columns, float factor, bool accumulate) {
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

// How many keys query i of the segment sees.
HWY_INLINE int64_t visible_keys(const Segment& s, bool causal, int64_t i) {
  return causal ? std::clamp<int64_t>(s.q_offset + i + 1, 0, s.k_len) : s.k_len;
}

// A segment's biases of one head, laid out by distance so that those of query i begin at row(i) and go on key by key.
class BiasRows {
 public:
  static HWY_INLINE int64_t size(const DistanceBias& bias, const Segment& s) {
    return bias.table ? s.q_len + round_up(s.k_len) : 0;
  }
  HWY_INLINE BiasRows(const DistanceBias& bias, const Segment& s, float* memory)
      : bias_(bias), s_(s), length_(size(bias, s)), memory_(memory) {}

  HWY_INLINE float* row(int64_t query) const { return memory_ + s_.q_len - 1 - query; }
  HWY_INLINE void load(int head) const {
    for (int64_t x = 0; x < length_; ++x) memory_[x] = bias_.table.row<float>(table_row(x))[head];
  }
  HWY_INLINE void clear() const { std::fill_n(memory_, length_, 0.0f); }
  // Sums what was added to the rows into one head of dtable [table rows][heads].
  HWY_INLINE void unload(int head, float* dtable) const {
    const int64_t heads = bias_.table.cols();
    for (int64_t r = 0; r < bias_.table.rows(); ++r) dtable[r * heads + head] = 0;
    for (int64_t x = 0; x < length_; ++x) dtable[table_row(x) * heads + head] += memory_[x];
  }

 private:
  HWY_INLINE int64_t table_row(int64_t x) const {
    const int64_t reach = bias_.reach();
    return reach + std::clamp<int64_t>(x - (s_.q_len - 1) - s_.q_offset, -reach, reach);
  }

  const DistanceBias& bias_;
  const Segment& s_;
  int64_t length_;
  float* memory_;
};

// y += x, both scratch of whole vectors.
HWY_INLINE void add_row(const float* x, int64_t padded, float* y) {
  const FloatTag d;
  for (int64_t c = 0; c < padded; c += lane_count())
    hn::StoreU(hn::Add(hn::LoadU(d, y + c), hn::LoadU(d, x + c)), d, y + c);
}

// A row's largest score and the sum of exp(score - largest).
struct SoftmaxSums {
  float max = 0, total = 1;
};

// Turns a row of n scores into probabilities in place (zeros up to `padded`).
HWY_INLINE SoftmaxSums softmax_scores(float* s, int64_t n, int64_t padded) {
  const FloatTag d;
  const int64_t lanes = lane_count();
  if (n == 0) {
    std::fill_n(s, padded, 0.0f);
    return {};
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
  return {max, total};
}

// Dropout factors of a block of probabilities: one group of 128 serves 8 queries by 16 keys, so that short sentences do
// not draw in vain. Key k of query q takes channel 16 (q mod 8) + k mod 16 of group k / 16 at position q / 8.
class DropoutTile {
 public:
  static constexpr int64_t kQueries = 8, kKeys = 16;

  // `factors` [kQueries][padded] gets the factors of the queries of block `block`.
  static HWY_INLINE void draw(const Dropout& dropout, const Segment& segment, int head, int64_t block, int64_t padded,
                              float* factors) {
    const DropoutRow random(dropout, segment.example, static_cast<uint32_t>(block), static_cast<uint32_t>(head));
    alignas(64) float group[kDropoutGroup];
    for (int64_t k = 0; k < padded; k += kKeys) {
      random.group(k / kKeys, group);
      const int64_t keys = std::min(kKeys, padded - k);
      for (int64_t q = 0; q < kQueries; ++q)
        for (int64_t c = 0; c < keys; c += std::min(lane_count(), kKeys))
          hn::StoreU(hn::LoadU(hn::CappedTag<float, 16>(), group + q * kKeys + c), hn::CappedTag<float, 16>(),
                     factors + q * padded + k + c);
    }
  }
};

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
