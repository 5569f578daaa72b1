// Rotary positions: the two halves of every head turned against each other.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "heed/cpu/rope.cpp"
#include <hwy/foreach_target.h>  // must come first: it includes this file once per instruction set

#include "heed/base/threads.h"
#include "heed/cpu/cpu_backend.h"
#include "heed/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {

void rope(const TensorView& x, const TensorView& position_ids, const TensorView& table, bool inverse, bool accumulate,
          const TensorView& y) {
  const FloatTag d;
  const int64_t lanes = lane_count(), cols = x.cols(), head_dim = table.cols(), half = head_dim / 2;
  const int32_t* position = position_ids.as<int32_t>();
  const FloatVec sign = hn::Set(d, inverse ? -1.0f : 1.0f);
  parallel_for(x.rows(), 1 + (1 << 13) / (cols + 1), [&](int64_t begin, int64_t end, int) HWY_ATTR {
    for (int64_t r = begin; r < end; ++r) {
      const float* angles = table.row<float>(position[r]);
      const float* from = x.row<float>(r);
      float* to = y.row<float>(r);
      for (int64_t c = 0; c < half; c += lanes) {
        const int64_t count = half - c;
        const FloatVec cos = load(angles + c, count), sin = hn::Mul(sign, load(angles + half + c, count));
        for (int64_t head = c; head < cols; head += head_dim) {
          const FloatVec x1 = load(from + head, count), x2 = load(from + head + half, count);
          FloatVec y1 = hn::NegMulAdd(x2, sin, hn::Mul(x1, cos)), y2 = hn::MulAdd(x1, sin, hn::Mul(x2, cos));
          if (accumulate) {
            y1 = hn::Add(y1, load(to + head, count));
            y2 = hn::Add(y2, load(to + head + half, count));
          }
          store(y1, to + head, count);
          store(y2, to + head + half, count);
        }
      }
    }
  });
}

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::cpu {
namespace {
HWY_EXPORT(rope);
}  // namespace

void CpuBackend::rope(const TensorView& x, const TensorView& position_ids, const TensorView& table, bool inverse,
                      bool accumulate, const TensorView& y) {
  HWY_DYNAMIC_DISPATCH(rope)(x, position_ids, table, inverse, accumulate, y);
}

}  // namespace heed::cpu
#endif
