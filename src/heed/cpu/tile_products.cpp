// Matrix products of training with factors in tiles.
//
// The products themselves take so little time on these instructions that what counts is how often memory is
// passed over: a block of rows is cut into tiles, multiplied and given its bias and activation while it is in the
// second-level cache, and in the backward the same pass over dz and x adds the block to dw = dz^T x or, where dw is
// large, lays x down as that product's second factor. Blocks depend on the number of rows alone, and each element of a
// result is a sum in order of the depth: the same bits for every number of threads.
#include <algorithm>
#include <optional>

#include "heed/base/threads.h"
#include "heed/cpu/bf16_kernels.h"
#include "heed/cpu/bias_activation.h"
#include "heed/cpu/cpu_backend.h"
#include "heed/cpu/factor.h"

namespace heed::cpu {
namespace {

using bf16::Kernels;
using bf16::Layout;

constexpr int64_t kBlockBytes = 512 << 10;
constexpr int64_t kChunkSteps = 16;        // of the depth, so that a block's tiles stay in the second-level cache
constexpr int64_t kSmallResult = 1 << 16;  // elements of a dw that each block of rows has a sum of its own for

int64_t panels_of(int64_t n) { return (n + bf16::kPanel - 1) / bf16::kPanel; }
int64_t whole_panels(int64_t n) { return panels_of(n) * bf16::kPanel; }

// A matrix in tiles: `width` rows of a first factor, or columns of a second one.
class Tiles {
 public:
  Tiles(const Kernels& kernels, int64_t width, int64_t depth)
      : kernels_(kernels),
        width_(width),
        depth_(depth),
        steps_(panels_of(depth)),
        memory_(panels_of(width) * panel_stride(), DType::kBF16) {}

  int64_t width() const { return width_; }
  int64_t depth() const { return depth_; }
  int64_t steps() const { return steps_; }
  const Kernels& kernels() const { return kernels_; }
  int64_t step_elements() const { return kernels_.parts * bf16::kStepElements; }
  int64_t panel_stride() const { return steps_ * step_elements(); }
  uint16_t* panel(int64_t i) const { return memory_.as<uint16_t>() + i * panel_stride(); }

  // Rows [row, row + 32) of x, as far as it has them, become panel, or step, `to`.
  void pack_rows(Layout layout, const TensorView& x, int64_t row, int64_t to) const {
    const bool across = bf16::rows_are_depth(layout);
    const bf16::Band band{x.row<float>(row),
                          x.row_stride,
                          std::min(bf16::kPanel, x.rows() - row),
                          x.cols(),
                          across ? panel(0) + to * step_elements() : panel(to),
                          across ? panel_stride() : step_elements()};
    kernels_.pack(layout, band);
  }
  // All of x, to the panels from `first_panel` on; of those that hold the depth across, to the steps from their start.
  void pack_block(Layout layout, const TensorView& x, int64_t first_panel) const {
    const int64_t to = bf16::rows_are_depth(layout) ? first_panel * steps_ : first_panel;
    for (int64_t band = 0; band < panels_of(x.rows()); ++band) pack_rows(layout, x, band * bf16::kPanel, to + band);
  }
  void pack(Layout layout, const TensorView& x) const {
    parallel_for(panels_of(x.rows()), 1 + (1 << 14) / (bf16::kPanel * x.cols() + 1),
                 [&](int64_t begin, int64_t end, int) {
                   for (int64_t band = begin; band < end; ++band) pack_rows(layout, x, band * bf16::kPanel, band);
                 });
  }

 private:
  const Kernels& kernels_;
  int64_t width_, depth_;
  int64_t steps_;
  Memory memory_;
};

TensorView block_of(const TensorView& x, int64_t row, int64_t rows, int64_t column, int64_t cols) {
  return {x.row<float>(row) + column, DType::kF32, {rows, cols}, x.row_stride};
}

// The least panels of rows in a block: the second factor is read once per block, and three times as much in f32.
int64_t least_panels(const Kernels& kernels) { return kernels.parts == 1 ? 4 : 8; }
int64_t block_panels(const Kernels& kernels, int64_t cols) {
  return std::max(kBlockBytes / (4 * bf16::kPanel * std::max<int64_t>(cols, 1)), least_panels(kernels));
}

// Calls body(row, rows) for the panels [begin, end) of `all_rows` rows, at most `at_once` of them together.
template <class Body>
void for_row_blocks(int64_t all_rows, int64_t begin, int64_t end, int64_t at_once, const Body& body) {
  for (int64_t panel = begin; panel < end; panel += at_once) {
    const int64_t row = panel * bf16::kPanel;
    body(row, std::min(std::min(panel + at_once, end) * bf16::kPanel, all_rows) - row);
  }
}

// Multiplies blocks of rows of a first factor, cut into tiles as they are needed.
class RowMultiplier {
 public:
  // For blocks of at most `panels` panels.
  RowMultiplier(const Kernels& kernels, int64_t panels, int64_t depth)
      : panels_(panels),
        tiles_(kernels, thread_count() * panels * bf16::kPanel, std::min(depth, kChunkSteps * bf16::kStep)) {}

  // c = op(a) b (+ c) on the calling thread, op(a) having c's rows.
  void multiply(const TensorView& a, bool transpose_a, const Tiles& b, bool accumulate, const TensorView& c) const {
    const int64_t first_panel = worker_index() * panels_, depth = b.depth();
    // At least once, so that a product over nothing is zero.
    for (int64_t step = 0; step == 0 || step < b.steps(); step += kChunkSteps) {
      const int64_t k = step * bf16::kStep, length = std::min(kChunkSteps * bf16::kStep, depth - k);
      if (transpose_a) tiles_.pack_block(Layout::kFirstTransposed, rows_of(a, k, length), first_panel);
      else tiles_.pack_block(Layout::kFirst, block_of(a, 0, a.rows(), k, length), first_panel);
      b.kernels().multiply({tiles_.panel(first_panel), tiles_.panel_stride(), b.panel(0) + step * b.step_elements(),
                            b.panel_stride(), panels_of(length), c.as<float>(), c.row_stride, c.rows(), c.cols(),
                            accumulate || step > 0});
    }
  }

 private:
  int64_t panels_;
  Tiles tiles_;
};

// c = op(a) b (+ c), rows of c divided among the threads. Each block reads b anew.
void multiply_matrix(const TensorView& a, bool transpose_a, const Tiles& b, bool accumulate, const TensorView& c) {
  const int64_t panels =
      std::min(block_panels(b.kernels(), std::min(b.depth(), kChunkSteps * bf16::kStep)), panels_of(c.rows()));
  const RowMultiplier multiplier(b.kernels(), panels, b.depth());
  parallel_for(panels_of(c.rows()), {1, least_panels(b.kernels())}, [&](int64_t begin, int64_t end, int) {
    for_row_blocks(c.rows(), begin, end, panels, [&](int64_t row, int64_t rows) {
      multiplier.multiply(transpose_a ? block_of(a, 0, a.rows(), row, rows) : rows_of(a, row, rows), transpose_a, b,
                          accumulate, rows_of(c, row, rows));
    });
  });
}

class TileFactor final : public Factor {
 public:
  TileFactor(const Kernels& kernels, const TensorView& b, bool transpose)
      : tiles_(kernels, transpose ? b.rows() : b.cols(), transpose ? b.cols() : b.rows()) {
    tiles_.pack(transpose ? Layout::kSecondTransposed : Layout::kSecond, b);
  }

  int64_t out_features() const override { return tiles_.width(); }
  int64_t in_features() const override { return tiles_.depth(); }
  const Tiles& tiles() const { return tiles_; }

  void multiply(const TensorView& a, bool transpose_a, bool accumulate, const TensorView& c) const override {
    multiply_matrix(a, transpose_a, tiles_, accumulate, c);
  }
  void linear(const TensorView& x, const TensorView& bias, Activation kind, const Dropout& dropout, const TensorView& z,
              const TensorView& y) const override {
    const int64_t panels = std::min(block_panels(tiles_.kernels(), std::max(x.cols(), y.cols())), panels_of(y.rows()));
    const RowMultiplier multiplier(tiles_.kernels(), panels, x.cols());
    parallel_for(panels_of(y.rows()), {1, least_panels(tiles_.kernels())}, [&](int64_t begin, int64_t end, int) {
      for_row_blocks(y.rows(), begin, end, panels, [&](int64_t row, int64_t rows) {
        const TensorView block = rows_of(y, row, rows);
        multiplier.multiply(rows_of(x, row, rows), false, tiles_, false, block);
        bias_activation(block, bias, kind, dropout, row, z ? rows_of(z, row, rows) : z);
      });
    });
  }

 private:
  Tiles tiles_;
};

// dz = dy m act'(z);  dx = dz w;  dw = dz^T x;  dbias = sum of dz over rows
class TileBackward {
 public:
  TileBackward(const Kernels& kernels, const LinearBackward& p)
      : kernels_(kernels),
        p_(p),
        panels_(panels_of(p.dy.rows())),
        small_(p.dw && p.dw.shape.numel() <= kSmallResult),
        blocks_(std::min<int64_t>({panels_, std::max<int64_t>(panels_ / least_panels(kernels), 4), small_ ? 16 : 64})),
        panels_at_once_(std::min(block_panels(kernels, std::max(p.dy.cols(), p.in())),
                                 panels_ / std::max<int64_t>(blocks_, 1) + 1)),
        dx_(kernels, p.dx ? panels_at_once_ : 0, p.dy.cols()),
        first_(kernels, small_ ? thread_count() * whole_panels(p.dw.rows()) : 0, panels_at_once_ * bf16::kPanel),
        second_(kernels, p.dw ? (small_ ? thread_count() : 1) * whole_panels(p.dw.cols()) : 0,
                small_ ? panels_at_once_ * bf16::kPanel : p.dy.rows()),
        dw_sums_(small_ ? blocks_ * p.dw.shape.numel() : 0),
        bias_sums_(static_cast<size_t>(p.dbias ? blocks_ * p.dy.cols() : 0)) {
    if (p.dx) w_.emplace(kernels, p.w, p.transposed);
  }

  void run() {
    parallel_for(blocks_, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t block = begin; block < end; ++block) {
        const int64_t from = panels_ * block / blocks_, to = panels_ * (block + 1) / blocks_;
        for_row_blocks(p_.dy.rows(), from, to, panels_at_once_,
                       [&](int64_t row, int64_t rows) { rows_of_block(block, row, rows, row > from * bf16::kPanel); });
      }
    });
    if (small_) add_dw_sums();
    else if (p_.dw) multiply_matrix(p_.transposed ? p_.x : p_.dy, true, second_, p_.accumulate_dw, p_.dw);
    p_.put_bias(bias_sums_);
  }

 private:
  void rows_of_block(int64_t block, int64_t row, int64_t rows, bool add) {
    const TensorView dz = rows_of(p_.dy, row, rows), x = rows_of(p_.x, row, rows);
    bias_activation_backward(rows_of(p_.kept, row, rows), p_.kind, p_.dropout, row, dz,
                             p_.dbias ? bias_sums_.data() + block * dz.cols() : nullptr);
    if (p_.dx) dx_.multiply(dz, false, w_->tiles(), p_.accumulate_dx, rows_of(p_.dx, row, rows));
    if (!p_.dw) return;
    const TensorView &a = p_.transposed ? x : dz, &b = p_.transposed ? dz : x;
    if (!small_) {
      for (int64_t r = 0; r < rows; r += bf16::kPanel)
        second_.pack_rows(Layout::kSecond, b, r, (row + r) / bf16::kPanel);
      return;
    }
    const int64_t first = worker_index() * panels_of(a.cols()), second = worker_index() * panels_of(b.cols());
    first_.pack_block(Layout::kFirstTransposed, a, first);
    second_.pack_block(Layout::kSecond, b, second);
    kernels_.multiply({first_.panel(first), first_.panel_stride(), second_.panel(second), second_.panel_stride(),
                       panels_of(rows), dw_sum(block), b.cols(), a.cols(), b.cols(), add});
  }

  float* dw_sum(int64_t block) { return dw_sums_.as<float>() + block * p_.dw.shape.numel(); }
  void add_dw_sums() {
    parallel_for(p_.dw.rows(), {8, 32}, [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        auto* dw = p_.dw.row<float>(r);
        if (!p_.accumulate_dw) std::fill_n(dw, p_.dw.cols(), 0.0f);
        for (int64_t block = 0; block < blocks_; ++block) {
          const float* sum = dw_sum(block) + r * p_.dw.cols();
          for (int64_t j = 0; j < p_.dw.cols(); ++j) dw[j] += sum[j];
        }
      }
    });
  }

  const Kernels& kernels_;
  const LinearBackward& p_;
  int64_t panels_;
  bool small_;  // dw is: each block has a sum of its own
  int64_t blocks_, panels_at_once_;
  std::optional<TileFactor> w_;
  RowMultiplier dx_;
  Tiles first_, second_;  // of dw: dz^T x, or x^T dz; of each thread where dw is small
  Memory dw_sums_;        // [blocks][dw]
  std::vector<float> bias_sums_;
};

}  // namespace

std::shared_ptr<const Factor> tile_factor(const Kernels& kernels, const TensorView& b, bool transpose) {
  return std::make_shared<TileFactor>(kernels, b, transpose);
}

void tile_linear_backward(const Kernels& kernels, const LinearBackward& p) { TileBackward(kernels, p).run(); }

}  // namespace heed::cpu
