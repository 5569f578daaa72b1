// Rows by their numbers: the table of a cache, and the searches that go on.
#include "heed/cuda/cuda_backend.h"
#include "heed/cuda/launch.h"

namespace heed::cuda {
namespace {

struct GatherRows {
  Rows<const uint32_t> x;
  const int32_t* rows;
  Rows<uint32_t> y;
  __device__ void operator()(int64_t r, int64_t c) const { y[r][c] = x[rows[r]][c]; }
};

struct NumberLast {
  const int32_t* lengths;
  int32_t first;
  Rows<int32_t> y;
  __device__ void operator()(int64_t, int64_t r) const { y[r][lengths[r] - 1] = first + static_cast<int32_t>(r); }
};

}  // namespace

void CudaBackend::gather_rows(const TensorView& x, const TensorView& rows, const TensorView& y) {
  for_each_element(stream(), y.rows(), y.cols(),
                   GatherRows{{static_cast<const uint32_t*>(x.data), x.row_stride},
                              rows.as<int32_t>(),
                              {static_cast<uint32_t*>(y.data), y.row_stride}});
}

void CudaBackend::number_last(const TensorView& lengths, int32_t first, const TensorView& y) {
  for_each_element(stream(), 1, y.rows(), NumberLast{lengths.as<int32_t>(), first, {y.as<int32_t>(), y.row_stride}});
}

}  // namespace heed::cuda
