// Rows by their numbers: the table of a cache, and the searches that go on.
#include <cstring>

#include "heed/base/threads.h"
#include "heed/cpu/cpu_backend.h"

namespace heed::cpu {

void CpuBackend::gather_rows(const TensorView& x, const TensorView& rows, const TensorView& y) {
  const auto bytes = static_cast<size_t>(y.cols()) * size_of(x.dtype);
  const auto row_of = [&](const TensorView& t, int64_t i) {
    return static_cast<std::byte*>(t.data) + static_cast<size_t>(i * t.row_stride) * size_of(t.dtype);
  };
  const auto* from = rows.as<int32_t>();
  parallel_for(y.rows(), 1 + (1 << 14) / (y.cols() + 1), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) std::memcpy(row_of(y, i), row_of(x, from[i]), bytes);
  });
}

void CpuBackend::number_last(const TensorView& lengths, int32_t first, const TensorView& y) {
  const auto* length = lengths.as<int32_t>();
  for (int64_t r = 0; r < y.rows(); ++r) y.row<int32_t>(r)[length[r] - 1] = first + static_cast<int32_t>(r);
}

}  // namespace heed::cpu
