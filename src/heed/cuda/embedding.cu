// Rows of a table by id, with scale, positions and dropout, and the gradient of the table.
#include "heed/cuda/cuda_backend.h"
#include "heed/cuda/launch.h"

namespace heed::cuda {
namespace {

// A table of f32 or bf16, read as f32.
struct Table {
  const void* data;
  int64_t stride;
  bool is_bf16;

  explicit Table(const TensorView& x) : data(x.data), stride(x.row_stride), is_bf16(x.dtype == DType::kBF16) {
    check<DTypeError>(is_bf16 || x.dtype == DType::kF32, "an embedding of {} on a GPU; f32 or bf16 was expected",
                      name_of(x.dtype));
  }
  __device__ float at(int64_t row, int64_t c) const {
    const int64_t i = row * stride + c;
    return is_bf16 ? float_of_bf16(static_cast<const uint16_t*>(data)[i]) : static_cast<const float*>(data)[i];
  }
};

template <class T>
struct Embed {
  const int32_t *ids, *places;
  Table table, positions;
  float scale;
  DropoutSpec spec;
  Rows<T> y;
  int64_t cols;
  __device__ void operator()(int64_t r, int64_t unit) const {
    const int64_t id = ids[r], place = places ? places[r] : 0;
    const DropoutFactors factors = spec.active ? spec.unit(r, unit) : DropoutFactors{{}, 0, 1.0f};
#pragma unroll
    for (int j = 0; j < kUnitChannels; ++j) {
      const int64_t c = unit_channel(unit, j);
      if (c < cols) y[r][c] = T((scale * table.at(id, c) + (places ? positions.at(place, c) : 0.0f)) * factors[j]);
    }
  }
};

template <class T, class Sum>
struct EmbedBackward {
  const int32_t* ids;
  Rows<const T> dy;
  float scale;
  DropoutSpec spec;
  int32_t skip;
  Rows<Sum> dtable;
  int64_t rows, cols;
};

// Whether a row before `row` has this id. The whole block asks together.
__device__ bool stands_before(const int32_t* ids, int32_t id, int64_t row) {
  constexpr int kAtOnce = 4;
  for (int64_t begin = 0; begin < row; begin += kAtOnce * kThreads) {
    bool same = false;
    for (int i = 0; i < kAtOnce; ++i) {
      const int64_t r = begin + i * kThreads + threadIdx.x;
      same = same || (r < row && ids[r] == id);
    }
    if (__syncthreads_or(same)) return true;
  }
  return false;
}

// Which of the rows begin + [0, kThreads) have this id, in order, as offsets from `begin`; returns how many.
__device__ int find_matches(const int32_t* ids, int32_t id, int64_t begin, int64_t rows, int32_t* matches) {
  __shared__ int counts[kThreads / kWarp];
  const int64_t r = begin + threadIdx.x;
  const unsigned warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const bool match = r < rows && ids[r] == id;
  const unsigned lanes = __ballot_sync(0xFFFFFFFFu, match);
  __syncthreads();  // what the last call found has been read
  if (lane == 0) counts[warp] = __popc(lanes);
  __syncthreads();
  int before = 0, total = 0;
  for (unsigned w = 0; w < kThreads / kWarp; ++w) {
    if (w < warp) before += counts[w];
    total += counts[w];
  }
  if (match) matches[before + __popc(lanes & ((1u << lane) - 1))] = static_cast<int32_t>(threadIdx.x);
  __syncthreads();
  return total;
}

// A block has the id of its row if no row before has it, and adds all rows with that id in order. A thread keeps the
// sums of its unit till they are complete.
template <class T, class Sum>
__global__ void __launch_bounds__(kThreads) embed_backward_kernel(EmbedBackward<T, Sum> f) {
  __shared__ int32_t matches[kThreads];
  const int32_t id = f.ids[blockIdx.x];
  if (id == f.skip || stands_before(f.ids, id, blockIdx.x)) return;
  Sum* to = f.dtable[id];
  for (int64_t first = 0; first < units_of(f.cols); first += kThreads) {
    const int64_t unit = first + threadIdx.x;
    float sums[kUnitChannels] = {};
    const auto for_own_channels = [&](const auto& each) {
#pragma unroll
      for (int j = 0; j < kUnitChannels; ++j)
        if (const int64_t c = unit_channel(unit, j); c < f.cols) each(c, j);
    };
    for_own_channels([&](int64_t c, int j) { sums[j] = float(to[c]); });
    for (int64_t begin = blockIdx.x; begin < f.rows; begin += kThreads) {
      const int count = find_matches(f.ids, id, begin, f.rows, matches);
      for (int i = 0; i < count; ++i) {
        const int64_t r = begin + matches[i];
        const DropoutFactors factors = f.spec.active ? f.spec.unit(r, unit) : DropoutFactors{{}, 0, 1.0f};
        for_own_channels([&](int64_t c, int j) { sums[j] += f.scale * float(f.dy[r][c]) * factors[j]; });
      }
    }
    for_own_channels([&](int64_t c, int j) { to[c] = Sum(sums[j]); });
  }
}

}  // namespace

void CudaBackend::embedding(const TensorView& ids, const TensorView& table, float scale, const TensorView& position_ids,
                            const TensorView& positions, const Dropout& dropout, const TensorView& y) {
  with_element(y, [&](auto element) {
    using T = decltype(element);
    for_each_unit(stream(), y.rows(), y.cols(),
                  Embed<T>{ids.as<int32_t>(), positions ? position_ids.as<int32_t>() : nullptr, Table(table),
                           Table(positions), scale, DropoutSpec(dropout), rows_of<T>(y), y.cols()});
  });
}

void CudaBackend::embedding_backward(const TensorView& ids, const TensorView& dy, float scale, const Dropout& dropout,
                                     int32_t skip, const TensorView& dtable) {
  with_element(dy, [&](auto gradient) {
    with_element(dtable, [&](auto sum) {
      using T = decltype(gradient);
      using Sum = decltype(sum);
      launch(stream(), {dy.rows(), kThreads}, &embed_backward_kernel<T, Sum>,
             EmbedBackward<T, Sum>{ids.as<int32_t>(), rows_of<const T>(dy), scale, DropoutSpec(dropout), skip,
                                   rows_of<Sum>(dtable), dy.rows(), dy.cols()});
    });
  });
}

}  // namespace heed::cuda
