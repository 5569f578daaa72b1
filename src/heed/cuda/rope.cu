// Rotary positions: the two halves of every head turned against each other.
#include "heed/cuda/cuda_backend.h"
#include "heed/cuda/launch.h"

namespace heed::cuda {
namespace {

template <class T>
struct Rotate {
  Rows<const T> x;
  Rows<T> y;
  Rows<const float> table;
  const int32_t* position;
  int64_t half;
  float sign;  // of the sines
  bool accumulate;
  // `pair` counts all heads' pairs of a row. x and y may be the same: both of a pair are read before they are written.
  __device__ void operator()(int64_t r, int64_t pair) const {
    const int64_t head = pair / half, c = pair - head * half, first = head * 2 * half + c;
    const float* angles = table[position[r]];
    const float cosine = angles[c], sine = sign * angles[half + c];
    const auto x1 = float(x[r][first]), x2 = float(x[r][first + half]);
    const float y1 = fmaf(-x2, sine, x1 * cosine), y2 = fmaf(x1, sine, x2 * cosine);
    T* to = y[r] + first;
    put(y1, accumulate, to[0]);
    put(y2, accumulate, to[half]);
  }
};

}  // namespace

void CudaBackend::rope(const TensorView& x, const TensorView& position_ids, const TensorView& table, bool inverse,
                       bool accumulate, const TensorView& y) {
  with_element(x, [&](auto element) {
    using T = decltype(element);
    for_each_element(stream(), x.rows(), x.cols() / 2,
                     Rotate<T>{rows_of<const T>(x), rows_of<T>(y), rows_of<const float>(table),
                               position_ids.as<int32_t>(), table.cols() / 2, inverse ? -1.0f : 1.0f, accumulate});
  });
}

}  // namespace heed::cuda
