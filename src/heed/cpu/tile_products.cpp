// Matrix products of training with factors in tiles.
//
// The products themselves take so little time on these instructions that what counts is how often memory is
// passed over: a block of rows is rounded, multiplied and given its bias and activation while it is in the second-level
// cache, and in the backward the same pass over dz and x lays both down as the factors of dw = dz^T x. Each element of
// a result is one sum in order of the depth, whatever the threads.
#include <algorithm>
#include <optional>

#include "heed/base/threads.h"
#include "heed/cpu/bf16_kernels.h"
#include "heed/cpu/bias_activation.h"
#include "heed/cpu/cpu_backend.h"
#include "heed/cpu/factor.h"

namespace heed::cpu {
namespace {

using bf16::Layout;

constexpr int64_t kBlockBytes = 512 << 10;
// dw: as much of the second factor as stays in the second-level cache, 512 deep.
constexpr int64_t kChunkSteps = 16, kChunkPanels = 16;

int64_t panels_of(int64_t n) { return (n + bf16::kPanel - 1) / bf16::kPanel; }

// A matrix in tiles: `width` rows of a first factor, or columns of a second one.
class Tiles {
 public:
  Tiles(int64_t width, int64_t depth)
      : width_(width),
        depth_(depth),
        steps_(panels_of(depth)),
        data_(static_cast<uint16_t*>(cpu_backend().allocate(bytes()))) {}
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
  ~Tiles() { cpu_backend().deallocate(data_, bytes()); }

  int64_t width() const { return width_; }
  int64_t depth() const { return depth_; }
  int64_t steps() const { return steps_; }
  int64_t panel_stride() const { return steps_ * bf16::kStepElements; }
  uint16_t* panel(int64_t i) const { return data_ + i * panel_stride(); }

  // Rows [32 band, 32 band + 32) of the matrix, as far as x has them; its row 0 is the matrix's row `first_row`.
  void pack_band(Layout layout, const TensorView& x, int64_t first_row, int64_t band) const {
    pack_rows(layout, x, band * bf16::kPanel - first_row, band);
  }
  // Rows of x from `row` on become panel, or step, `to`.
  void pack_rows(Layout layout, const TensorView& x, int64_t row, int64_t to) const {
    const bool across = bf16::rows_are_depth(layout);
    const bf16::Band band{x.row<float>(row),
                          x.row_stride,
                          std::min(bf16::kPanel, x.rows() - row),
                          x.cols(),
                          across ? data_ + to * bf16::kStepElements : panel(to),
                          across ? panel_stride() : bf16::kStepElements};
    bf16::kernels().pack(layout, band);
  }
  void pack(Layout layout, const TensorView& x) const {
    parallel_for(panels_of(x.rows()), 1 + (1 << 14) / (bf16::kPanel * x.cols() + 1),
                 [&](int64_t begin, int64_t end, int) {
                   for (int64_t band = begin; band < end; ++band) pack_band(layout, x, 0, band);
                 });
  }

 private:
  size_t bytes() const { return static_cast<size_t>(panels_of(width_) * panel_stride()) * sizeof(uint16_t); }

  int64_t width_, depth_;
  int64_t steps_;
  uint16_t* data_;
};

// Rows of a block: a multiple of 32, at least 128 (the second factor is read once per block).
int64_t block_bands(int64_t cols) {
  return std::max<int64_t>(kBlockBytes / (4 * std::max<int64_t>(cols, 1)), 128) / bf16::kPanel;
}

// y = x w (+ y) for a block of rows, which is packed into `scratch`.
void multiply_rows(const TensorView& x, const Tiles& w, bool accumulate, const Tiles& scratch, int64_t scratch_panel,
                   const TensorView& y) {
  for (int64_t band = 0; band < panels_of(x.rows()); ++band)
    scratch.pack_rows(Layout::kFirst, x, band * bf16::kPanel, scratch_panel + band);
  bf16::kernels().multiply({scratch.panel(scratch_panel), scratch.panel_stride(), w.panel(0), w.panel_stride(),
                            w.steps(), y.as<float>(), y.row_stride, y.rows(), y.cols(), accumulate});
}

TensorView rows_of(const TensorView& x, int64_t begin, int64_t count) {
  return {x.row<float>(begin), DType::kF32, {count, x.cols()}, x.row_stride};
}

// What for_row_blocks cuts its loop to: at least 128 rows, as in block_bands.
Grain row_grain() { return {1, 128 / bf16::kPanel}; }

// Calls body(block's first row, rows, part) for blocks of whole bands, each part's one after the other.
template <class Body>
void for_row_blocks(int64_t rows, int64_t bands_at_once, const Body& body) {
  parallel_for(panels_of(rows), row_grain(), [&](int64_t begin, int64_t end, int part) {
    for (int64_t band = begin; band < end; band += bands_at_once) {
      const int64_t r = band * bf16::kPanel, last = std::min(band + bands_at_once, end) * bf16::kPanel;
      body(r, std::min(last, rows) - r, part);
    }
  });
}

// c = a b (+ c), a and b packed whole: rows of c divided among the threads, columns and depth cut for the cache. Each
// part reads b anew.
void multiply_tiles(const Tiles& a, const Tiles& b, bool accumulate, const TensorView& c) {
  parallel_for(panels_of(c.rows()), {1, 4}, [&](int64_t begin, int64_t end, int) {
    const int64_t row = begin * bf16::kPanel, rows = std::min(end * bf16::kPanel, c.rows()) - row;
    for (int64_t panel = 0; panel < panels_of(c.cols()); panel += kChunkPanels) {
      const int64_t column = panel * bf16::kPanel;
      // At least once, so that a product over nothing is zero.
      for (int64_t step = 0; step == 0 || step < a.steps(); step += kChunkSteps)
        bf16::kernels().multiply(
            {a.panel(begin) + step * bf16::kStepElements, a.panel_stride(), b.panel(panel) + step * bf16::kStepElements,
             b.panel_stride(), std::min(kChunkSteps, a.steps() - step), c.row<float>(row) + column, c.row_stride, rows,
             std::min(kChunkPanels * bf16::kPanel, c.cols() - column), accumulate || step > 0});
    }
  });
}

class TileFactor final : public Factor {
 public:
  TileFactor(const TensorView& b, bool transpose)
      : tiles_(transpose ? b.rows() : b.cols(), transpose ? b.cols() : b.rows()) {
    tiles_.pack(transpose ? Layout::kSecondTransposed : Layout::kSecond, b);
  }

  int64_t out_features() const override { return tiles_.width(); }
  int64_t in_features() const override { return tiles_.depth(); }
  const Tiles& tiles() const { return tiles_; }

  void multiply(const TensorView& a, bool transpose_a, bool accumulate, const TensorView& c) const override {
    const Tiles first(c.rows(), tiles_.depth());
    first.pack(transpose_a ? Layout::kFirstTransposed : Layout::kFirst, a);
    multiply_tiles(first, tiles_, accumulate, c);
  }
  void linear(const TensorView& x, const TensorView& bias, Activation kind, const Dropout& dropout,
              const TensorView& y) const override {
    const int64_t bands = std::min(block_bands(std::max(x.cols(), y.cols())), panels_of(y.rows()));
    const Tiles scratch(thread_count() * bands * bf16::kPanel, x.cols());
    for_row_blocks(y.rows(), bands, [&](int64_t r, int64_t rows, int) {
      const TensorView block = rows_of(y, r, rows);
      multiply_rows(rows_of(x, r, rows), tiles_, false, scratch, worker_index() * bands, block);
      bias_activation(block, bias, kind, dropout, r);
    });
  }

 private:
  Tiles tiles_;
};

}  // namespace

std::shared_ptr<const Factor> tile_factor(const TensorView& b, bool transpose) {
  return std::make_shared<TileFactor>(b, transpose);
}

// dz = dy m act'(z);  dx = dz w;  dw = dz^T x;  dbias = sum of dz over rows
void tile_linear_backward(const LinearBackward& p) {
  const int64_t m = p.dy.rows(), n = p.dy.cols(), k = p.in();
  std::optional<TileFactor> w;
  if (p.dx) w.emplace(p.w, p.transposed);
  const int64_t bands = std::min(block_bands(std::max(n, k)), panels_of(m));
  const Tiles scratch(p.dx ? thread_count() * bands * bf16::kPanel : 0, n);
  // Of dw: dz^T x, or x^T dz.
  const Tiles first(p.dw ? p.dw.rows() : 0, m), second(p.dw ? p.dw.cols() : 0, m);
  std::vector<float> sums(static_cast<size_t>(p.dbias ? part_count(panels_of(m), row_grain()) * n : 0));
  for_row_blocks(m, bands, [&](int64_t r, int64_t rows, int part) {
    const TensorView dz = rows_of(p.dy, r, rows), input = rows_of(p.x, r, rows);
    bias_activation_backward(rows_of(p.y, r, rows), p.kind, p.dropout, r, dz,
                             p.dbias ? sums.data() + part * n : nullptr);
    if (p.dx) multiply_rows(dz, w->tiles(), p.accumulate_dx, scratch, worker_index() * bands, rows_of(p.dx, r, rows));
    for (int64_t band = r / bf16::kPanel; p.dw && band < panels_of(r + rows); ++band) {
      first.pack_band(Layout::kFirstTransposed, p.transposed ? input : dz, r, band);
      second.pack_band(Layout::kSecond, p.transposed ? dz : input, r, band);
    }
  });
  if (p.dw) multiply_tiles(first, second, p.accumulate_dw, p.dw);
  p.put_bias(sums);
}

}  // namespace heed::cpu
