// y = act(x w^T + b) with a weight packed for it: panels of two vectors of outputs, [panel][in][2 vectors], in f32,
// bf16 or f16.
//
// Each element is one chain of fused multiply-adds over `in` (tile-inl.h), so a row's result is the same in every batch
// and for every thread count. Few rows take several panels at once, so that one row alone still has enough independent
// chains to hide the latency of the additions; many rows are copied to [in][rows] blocks where their stride would
// make them collide in the first-level cache. The first tiles of a panel fetch the next panel: weights come from memory
// or the third-level cache, and without that the products of a decoding step reach half to four fifths of this.
//
// Weights in bf16 and f16 are widened in the register: the results are those of the widened weights, bit for bit, and a
// decoding step reads half as much.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "heed/cpu/linear_packed.cpp"
#include <hwy/foreach_target.h>  // must come first: it includes this file once per instruction set

#include "heed/base/threads.h"
#include "heed/cpu/cpu_backend.h"
#include "heed/cpu/math-inl.h"
#include "heed/cpu/packed_matrix.h"
#include "heed/cpu/tile-inl.h"
#include "heed/cpu/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {

constexpr int64_t kBlockBytes = 1 << 20;     // of the rows that each panel is multiplied by while it is in the cache
constexpr int64_t kCopyFromDepth = 512;      // longer rows are copied
constexpr int64_t kFetchAhead = 8192;        // bytes, where a panel is passed over once
constexpr int64_t kLine = 64;                // bytes of a cache line
constexpr int64_t kWorkPerThread = 1 << 17;  // multiply-adds worth a thread

// What bias and activation make of a tile's sums.
template <Activation kKind>
struct BiasActivation {
  const float* bias;  // of the tile's first column, padded to whole vectors; nullptr: none
  HWY_INLINE V operator()(int, int vector, V value) const {
    const D d;
    if (bias) value = hn::Add(value, hn::LoadU(d, bias + vector * static_cast<int>(hn::Lanes(d))));
    return activate<kKind>(value);
  }
};

struct Product {
  const float* x;
  int64_t x_stride;
  const PanelMatrix* w;
  const float* bias;
  float* y;
  int64_t y_stride;
};

// kPanels panels side by side, for a row at a time: their depth loops interleave.
template <class T, int kPanels, class Epilogue>
HWY_INLINE void few_rows(const Product& p, int64_t rows, int64_t panel, const Epilogue& epilogue) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t width = p.w->width(), depth = p.w->in_features();
  for (int64_t r = 0; r < rows; ++r) {
    const float* x = p.x + r * p.x_stride;
    V acc[kPanels][2];
    const T* b[kPanels];
#pragma GCC unroll 8
    for (int i = 0; i < kPanels; ++i) {
      acc[i][0] = acc[i][1] = hn::Zero(d);
      b[i] = p.w->panel<T>(panel + i);
    }
    for (int64_t k = 0; k < depth; ++k) {
      const V xk = hn::Set(d, x[k]);
#pragma GCC unroll 8
      for (int i = 0; i < kPanels; ++i) {
        V bk[2];
        load_vectors(b[i] + k * width, bk);
        acc[i][0] = hn::MulAdd(xk, bk[0], acc[i][0]);
        acc[i][1] = hn::MulAdd(xk, bk[1], acc[i][1]);
      }
    }
    for (int i = 0; i < kPanels; ++i) {
      const int64_t column = (panel + i) * width;
      const Epilogue e{epilogue.bias ? epilogue.bias + i * width : nullptr};
      for (int v = 0; v < 2; ++v) {
        const int64_t left = p.w->out_features() - column - v * lanes;
        if (left > 0) store(e(0, v, acc[i][v]), p.y + r * p.y_stride + column + v * lanes, left);
      }
    }
  }
}

// What tile `number` of those that a panel is multiplied by fetches: where it is the only one, this panel some way
// ahead; else the first ones fetch the next panel, a line at each step.
template <class T>
HWY_INLINE Prefetch fetched(const T* panel, int64_t width, int64_t depth, int64_t number, bool only_one) {
  const auto row = width * static_cast<int64_t>(sizeof(T));
  const char* begin = reinterpret_cast<const char*>(panel);
  if (only_one) return {begin + kFetchAhead, row, row > kLine ? kLine : 0};
  if (number * kLine < row) return {begin + row * depth + number * kLine * depth, kLine, 0};
  return {begin, 0, 0};
}

// Rows [row_begin, row_end) of the panels [panel_begin, panel_end).
template <class T, Activation kKind>
void multiply_panels(const Product& p, int64_t row_begin, int64_t row_end, int64_t panel_begin, int64_t panel_end) {
  const int64_t width = p.w->width(), depth = p.w->in_features();
  const auto bias_at = [&](int64_t panel) { return p.bias ? p.bias + panel * width : nullptr; };
  if (row_end - row_begin < 3) {
    const Product rows{p.x + row_begin * p.x_stride, p.x_stride, p.w, p.bias, p.y + row_begin * p.y_stride, p.y_stride};
    int64_t panel = panel_begin;
    for (; panel + 4 <= panel_end; panel += 4)
      few_rows<T, 4>(rows, row_end - row_begin, panel, BiasActivation<kKind>{bias_at(panel)});
    for (; panel < panel_end; ++panel)
      few_rows<T, 1>(rows, row_end - row_begin, panel, BiasActivation<kKind>{bias_at(panel)});
    return;
  }
  static thread_local std::vector<float> copies;
  const bool copy = depth >= kCopyFromDepth;
  const int64_t block_rows = std::max<int64_t>(kBlockBytes / (4 * depth) / kTileRows, 1) * kTileRows;
  if (copy) copies.resize(static_cast<size_t>(std::min(block_rows, row_end - row_begin) * depth));
  for (int64_t block = row_begin; block < row_end; block += block_rows) {
    const int64_t block_end = std::min(block + block_rows, row_end);
    if (copy) {
      for (int64_t r = block; r < block_end; r += kTileRows)
        stage_transposed(p.x + r * p.x_stride, p.x_stride, std::min<int64_t>(kTileRows, block_end - r), depth,
                         std::min<int64_t>(kTileRows, block_end - r), copies.data() + (r - block) * depth);
    }
    for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
      const BiasActivation<kKind> epilogue{bias_at(panel)};
      const T* b = p.w->panel<T>(panel);
      for (int64_t r = block; r < block_end; r += kTileRows) {
        const int64_t rows = std::min<int64_t>(kTileRows, block_end - r);
        const MatrixA a =
            copy ? MatrixA{copies.data() + (r - block) * depth, 1, rows} : MatrixA{p.x + r * p.x_stride, p.x_stride, 1};
        const Prefetch ahead = fetched(b, width, depth, (r - row_begin) / kTileRows, block_end - block <= kTileRows);
        tile_rows<2, kTileRows, true>(rows, a, b, width, depth, p.y + r * p.y_stride + panel * width, p.y_stride,
                                      p.w->out_features() - panel * width, false, epilogue, ahead);
      }
    }
  }
}

// Threads share the panels (each weight is read once); with very many rows and few panels, the rows.
template <class T, Activation kKind>
void multiply(const Product& p, int64_t rows) {
  const PanelMatrix& w = *p.w;
  if (w.panels() >= 4 * thread_count() || rows < 8 * kTileRows) {
    const int64_t work = rows * w.in_features() * w.width();  // of one panel
    // By fours, which few rows are multiplied with at once; sixteen pay for the copy of the rows that each part makes.
    parallel_for((w.panels() + 3) / 4, {1 + kWorkPerThread / (4 * work + 1), 4}, [&](int64_t begin, int64_t end, int) {
      multiply_panels<T, kKind>(p, 0, rows, 4 * begin, std::min(4 * end, w.panels()));
    });
  } else {
    parallel_for(rows, {2 * kTileRows, 8 * kTileRows},
                 [&](int64_t begin, int64_t end, int) { multiply_panels<T, kKind>(p, begin, end, 0, w.panels()); });
  }
}

void linear_packed(const TensorView& x, const PanelMatrix& w, const TensorView& bias, Activation kind,
                   const TensorView& y) {
  static thread_local std::vector<float> padded_bias;
  if (bias) {
    padded_bias.assign(static_cast<size_t>(w.panels() * w.width()), 0.0f);
    std::copy_n(bias.as<float>(), w.out_features(), padded_bias.begin());
  }
  const Product p{x.as<float>(), x.row_stride, &w, bias ? padded_bias.data() : nullptr, y.as<float>(), y.row_stride};
  with_activation(kind, [&](auto constant) {
    constexpr Activation kKind = decltype(constant)::value;
    with_matrix_type(w.dtype(), [&](auto element) { multiply<decltype(element), kKind>(p, y.rows()); });
  });
}

int64_t panel_width() { return 2 * lane_count(); }

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::cpu {
namespace {
HWY_EXPORT(linear_packed);
HWY_EXPORT(panel_width);

// One panel from its outputs' elements: element k of output j is from[j out_stride + k in_stride].
template <class T>
void fill_panel(const T* from, int64_t out_stride, int64_t in_stride, const PanelMatrix& packed, int64_t panel) {
  const int64_t width = packed.width(), outputs = std::min(width, packed.out_features() - panel * width);
  std::vector<int64_t> offsets(static_cast<size_t>(width), -1);  // of what each place in a row comes from; -1: padding
  for (int64_t j = 0; j < outputs; ++j) offsets[static_cast<size_t>(packed.place(j))] = j * out_stride;
  T* to = packed.panel<T>(panel);
  for (int64_t k = 0; k < packed.in_features(); ++k, from += in_stride)
    for (const int64_t offset : offsets) *to++ = offset < 0 ? T() : from[offset];
}

template <class T>
void fill_panels(const TensorView& w, bool transposed, const PanelMatrix& packed) {
  const int64_t out_stride = transposed ? 1 : w.row_stride, in_stride = transposed ? w.row_stride : 1;
  parallel_for(packed.panels(), 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t panel = begin; panel < end; ++panel)
      fill_panel(w.as<T>() + panel * packed.width() * out_stride, out_stride, in_stride, packed, panel);
  });
}

// A panel takes the place of the rows that it is made of.
template <class T>
void turn_panels(const PanelMatrix& packed) {
  const int64_t in = packed.in_features();
  parallel_for(packed.panels(), 8, [&](int64_t begin, int64_t end, int) {
    std::vector<T> rows(static_cast<size_t>(packed.width() * in));
    for (int64_t panel = begin; panel < end; ++panel) {
      const int64_t count = std::min(packed.width(), packed.out_features() - panel * packed.width());
      std::copy_n(packed.panel<T>(panel), count * in, rows.data());
      fill_panel(rows.data(), in, 1, packed, panel);
    }
  });
}

template <class T>
void copy_rows(const PanelMatrix& w, const TensorView& ids, const TensorView& y) {
  const int64_t width = w.width();
  parallel_for(y.rows(), 1 + (1 << 12) / (y.cols() + 1), [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t id = ids.as<int32_t>()[r];
      const T* from = w.panel<T>(id / width) + w.place(id % width);
      auto* to = y.row<float>(r);
      for (int64_t k = 0; k < y.cols(); ++k) to[k] = static_cast<float>(from[k * width]);
    }
  });
}

}  // namespace

std::shared_ptr<const PackedMatrix> CpuBackend::pack(const TensorView& w, bool transposed) {
  const int64_t out = transposed ? w.cols() : w.rows(), in = transposed ? w.rows() : w.cols();
  auto packed = std::make_shared<PanelMatrix>(out, in, HWY_DYNAMIC_DISPATCH(panel_width)(), w.dtype);
  with_matrix_type(w.dtype, [&](auto element) { fill_panels<decltype(element)>(w, transposed, *packed); });
  return packed;
}

std::shared_ptr<const PackedMatrix> CpuBackend::pack_in_place(const TensorView& w, size_t bytes,
                                                              const std::shared_ptr<void>& memory) {
  auto packed =
      std::make_shared<PanelMatrix>(w.rows(), w.cols(), HWY_DYNAMIC_DISPATCH(panel_width)(), w.dtype, w.data, memory);
  if (!w.contiguous() || packed->bytes() > bytes) return nullptr;
  with_matrix_type(w.dtype, [&](auto element) { turn_panels<decltype(element)>(*packed); });
  return packed;
}

void CpuBackend::linear_packed(const TensorView& x, const PackedMatrix& w, const TensorView& bias, Activation kind,
                               const TensorView& y) {
  if (y.rows() == 0) return;
  HWY_DYNAMIC_DISPATCH(linear_packed)(x, static_cast<const PanelMatrix&>(w), bias, kind, y);
}

void CpuBackend::packed_rows(const PackedMatrix& w, const TensorView& ids, const TensorView& y) {
  const auto& panels = static_cast<const PanelMatrix&>(w);
  with_matrix_type(panels.dtype(), [&](auto element) { copy_rows<decltype(element)>(panels, ids, y); });
}

}  // namespace heed::cpu
#endif
