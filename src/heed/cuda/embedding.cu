// Rows of a table by id, with scale, positions and dropout, and the gradient of the table.
#include <algorithm>
#include <utility>

#include "heed/cuda/cuda_backend.h"
#include "heed/cuda/launch.h"

namespace heed::cuda {
namespace {

// A table of f32, bf16 or f16, read as f32.
struct Table {
  const void* data;
  int64_t stride;
  DType dtype;

  explicit Table(const TensorView& x) : data(x.data), stride(x.row_stride), dtype(x.dtype) {
    check<DTypeError>(dtype == DType::kF32 || dtype == DType::kBF16 || dtype == DType::kF16,
                      "an embedding of {} on a GPU; f32, bf16 or f16 was expected", name_of(dtype));
  }
  __device__ float at(int64_t row, int64_t c) const { return load_number(dtype, data, row * stride + c).real; }
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

// The rows of a batch by id, in parts of a fixed number of rows.
struct RowsById {
  static constexpr int32_t kPartRows = 256;
  struct Part {
    int32_t id, begin, end;  // its rows: rows[begin] to rows[end - 1]
    int32_t partial;         // where its sum goes; -1: the id has no other part, and its row of the table is changed
  };
  struct Total {
    int32_t id, first, count;  // of the partial sums that are added
  };
  std::vector<Part> parts;  // of ids that stand often first, so that the longest sums begin first
  std::vector<Total> totals;
  std::vector<int32_t> rows;  // of each id ascending
  int32_t partials = 0;

  RowsById(std::span<const int32_t> id_of, int32_t skip, int64_t table_rows) {
    std::vector<int32_t> counts(static_cast<size_t>(table_rows)), ids;
    for (const int32_t id : id_of)
      if (id != skip && counts[static_cast<size_t>(id)]++ == 0) ids.push_back(id);
    std::stable_sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) {
      return counts[static_cast<size_t>(a)] > counts[static_cast<size_t>(b)];
    });
    int32_t begin = 0;
    for (const int32_t id : ids) {
      const int32_t end =
          begin + std::exchange(counts[static_cast<size_t>(id)], begin);  // now: where the next row goes
      add_parts(id, begin, end);
      begin = end;
    }
    rows.resize(static_cast<size_t>(begin));
    for (size_t r = 0; r < id_of.size(); ++r)
      if (id_of[r] != skip)
        rows[static_cast<size_t>(counts[static_cast<size_t>(id_of[r])]++)] = static_cast<int32_t>(r);
  }

 private:
  void add_parts(int32_t id, int32_t begin, int32_t end) {
    if (end - begin <= kPartRows) return parts.push_back({id, begin, end, -1});
    totals.push_back({id, partials, (end - begin + kPartRows - 1) / kPartRows});
    for (; begin < end; begin += kPartRows) parts.push_back({id, begin, std::min(begin + kPartRows, end), partials++});
  }
};

template <class T, class Sum>
struct EmbedBackward {
  const RowsById::Part* parts;
  const int32_t* rows;
  Rows<const T> dy;
  float scale;
  DropoutSpec spec;
  Rows<Sum> dtable;
  float* partial;  // [partials, cols]
  int64_t cols;
};

// A block adds the rows of one part in order; a thread keeps the sums of its unit till they are complete.
template <class T, class Sum>
__global__ void embed_backward_kernel(EmbedBackward<T, Sum> f) {
  constexpr int kAtOnce = 4;  // rows that are read before they are added
  const RowsById::Part part = f.parts[blockIdx.x];
  const bool alone = part.partial < 0;
  Sum* to = f.dtable[part.id];
  float* partial = f.partial + (alone ? 0 : part.partial * f.cols);
  for (int64_t unit = threadIdx.x; unit < units_of(f.cols); unit += blockDim.x) {
    float sums[kUnitChannels] = {};
    const auto for_own_channels = [&](const auto& each) {
#pragma unroll
      for (int j = 0; j < kUnitChannels; ++j)
        if (const int64_t c = unit_channel(unit, j); c < f.cols) each(c, j);
    };
    if (alone) for_own_channels([&](int64_t c, int j) { sums[j] = float(to[c]); });
    for (int32_t first = part.begin; first < part.end; first += kAtOnce) {
      float gradients[kAtOnce][kUnitChannels] = {};
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i)
        if (first + i < part.end)
          for_own_channels([&](int64_t c, int j) { gradients[i][j] = float(f.dy[f.rows[first + i]][c]); });
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        if (first + i >= part.end) break;
        const DropoutFactors factors =
            f.spec.active ? f.spec.unit(f.rows[first + i], unit) : DropoutFactors{{}, 0, 1.0f};
#pragma unroll
        for (int j = 0; j < kUnitChannels; ++j) sums[j] += f.scale * gradients[i][j] * factors[j];
      }
    }
    for_own_channels([&](int64_t c, int j) {
      if (alone) to[c] = Sum(sums[j]);
      else partial[c] = sums[j];
    });
  }
}

// A block adds the partial sums of one id to its row of the table.
template <class Sum>
__global__ void embed_totals_kernel(const RowsById::Total* totals, const float* partial, int64_t cols,
                                    Rows<Sum> dtable) {
  const RowsById::Total total = totals[blockIdx.x];
  Sum* to = dtable[total.id];
  for (int64_t c = threadIdx.x; c < cols; c += blockDim.x) {
    auto sum = float(to[c]);
#pragma unroll 8
    for (int32_t i = 0; i < total.count; ++i) sum += partial[(total.first + i) * cols + c];
    to[c] = Sum(sum);
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

void CudaBackend::embedding_backward(std::span<const int32_t> ids, const TensorView& dy, float scale,
                                     const Dropout& dropout, int32_t skip, const TensorView& dtable) {
  const RowsById by_id(ids, skip, dtable.rows());
  const int64_t cols = dy.cols();
  const Upload arrays(*this, {bytes_of(by_id.parts), bytes_of(by_id.totals), bytes_of(by_id.rows)});
  const Scratch partial(*this, static_cast<size_t>(by_id.partials * cols) * sizeof(float));
  with_element(dtable, [&](auto sum) {
    using Sum = decltype(sum);
    with_element(dy, [&](auto gradient) {
      using T = decltype(gradient);
      launch(stream(), {std::ssize(by_id.parts), threads_for(units_of(cols))}, &embed_backward_kernel<T, Sum>,
             EmbedBackward<T, Sum>{arrays.as<RowsById::Part>(0), arrays.as<int32_t>(2), rows_of<const T>(dy), scale,
                                   DropoutSpec(dropout), rows_of<Sum>(dtable), partial.as<float>(), cols});
    });
    launch(stream(), {std::ssize(by_id.totals), threads_for(cols)}, &embed_totals_kernel<Sum>,
           arrays.as<RowsById::Total>(1), partial.as<float>(), cols, rows_of<Sum>(dtable));
  });
}

}  // namespace heed::cuda
