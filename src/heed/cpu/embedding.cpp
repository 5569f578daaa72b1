// Rows of a table by id, with scale, positions and dropout, and the gradient of the table. Tables are f32, or bf16
// or f16, which are widened on the way.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "heed/cpu/embedding.cpp"
#include <hwy/foreach_target.h>  // must come first: it includes this file once per instruction set

#include "heed/base/threads.h"
#include "heed/cpu/cpu_backend.h"
#include "heed/cpu/dropout-inl.h"
#include "heed/cpu/math-inl.h"
#include "heed/cpu/packed_matrix.h"

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {

// T, P: the element types of the two tables.
template <class T, class P>
void embedding_of(const TensorView& ids, const TensorView& table, float scale, const TensorView& position_ids,
                  const TensorView& positions, const Dropout& spec, const TensorView& y) {
  const FloatTag d;
  const int64_t lanes = lane_count(), cols = y.cols();
  const int32_t* id = ids.as<int32_t>();
  const int32_t* place = positions ? position_ids.as<int32_t>() : nullptr;
  const FloatVec factor = hn::Set(d, scale);
  parallel_for(y.rows(), 1 + (1 << 13) / (cols + 1), [&](int64_t begin, int64_t end, int) HWY_ATTR {
    alignas(64) float factors[kDropoutGroup];
    for (int64_t r = begin; r < end; ++r) {
      const T* from = table.row<T>(id[r]);
      const P* position = place ? positions.row<P>(place[r]) : nullptr;
      const DropoutRow random = dropout_row(spec, r);
      for (int64_t c = 0; c < cols; c += lanes) {
        FloatVec value = hn::Mul(factor, load(from + c, cols - c));
        if (position) value = hn::Add(value, load(position + c, cols - c));
        if (spec.active()) {
          if (c % kDropoutGroup == 0) random.group(c / kDropoutGroup, factors);
          value = hn::Mul(value, hn::LoadU(d, factors + c % kDropoutGroup));
        }
        store(value, y.row<float>(r) + c, cols - c);
      }
    }
  });
}

void embedding(const TensorView& ids, const TensorView& table, float scale, const TensorView& position_ids,
               const TensorView& positions, const Dropout& spec, const TensorView& y) {
  with_matrix_type(table.dtype, [&](auto word) {
    with_matrix_type(positions.dtype, [&](auto position) {
      embedding_of<decltype(word), decltype(position)>(ids, table, scale, position_ids, positions, spec, y);
    });
  });
}

// Threads divide the columns in whole dropout groups, so that rows with the same id are added in order by one thread.
void embedding_backward(std::span<const int32_t> ids, const TensorView& dy, float scale, const Dropout& spec,
                        int32_t skip, const TensorView& dtable) {
  const FloatTag d;
  const int64_t lanes = lane_count(), cols = dy.cols();
  const int32_t* id = ids.data();
  const FloatVec factor = hn::Set(d, scale);
  const int64_t unit = spec.active() ? kDropoutGroup : lanes;
  // Each part goes through all the rows: few, wide ones.
  parallel_for((cols + unit - 1) / unit, {1 + (1 << 14) / (unit * dy.rows() + 1), 1 + 128 / unit},
               [&](int64_t begin, int64_t end, int) HWY_ATTR {
                 alignas(64) float factors[kDropoutGroup];
                 for (int64_t r = 0; r < dy.rows(); ++r) {
                   if (id[r] == skip) continue;
                   const DropoutRow random = dropout_row(spec, r);
                   float* to = dtable.row<float>(id[r]);
                   for (int64_t c = begin * unit; c < std::min(end * unit, cols); c += lanes) {
                     FloatVec value = hn::Mul(factor, load(dy.row<float>(r) + c, cols - c));
                     if (spec.active()) {
                       if (c % kDropoutGroup == 0) random.group(c / kDropoutGroup, factors);
                       value = hn::Mul(value, hn::LoadU(d, factors + c % kDropoutGroup));
                     }
                     store(hn::Add(value, load(to + c, cols - c)), to + c, cols - c);
                   }
                 }
               });
}

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::cpu {
namespace {
HWY_EXPORT(embedding);
HWY_EXPORT(embedding_backward);
}  // namespace

void CpuBackend::embedding(const TensorView& ids, const TensorView& table, float scale, const TensorView& position_ids,
                           const TensorView& positions, const Dropout& dropout, const TensorView& y) {
  HWY_DYNAMIC_DISPATCH(embedding)(ids, table, scale, position_ids, positions, dropout, y);
}
void CpuBackend::embedding_backward(std::span<const int32_t> ids, const TensorView& dy, float scale,
                                    const Dropout& dropout, int32_t skip, const TensorView& dtable) {
  HWY_DYNAMIC_DISPATCH(embedding_backward)(ids, dy, scale, dropout, skip, dtable);
}

}  // namespace heed::cpu
#endif
