// Matrix products of training, by oneDNN's sgemm.
//
// Measured: op(a) b with b as it lies reaches 96-98 % of a Zen 4 core's peak and 93-97 % of an Emerald Rapids core's,
// a b^T 75-92 and 86-96 %, a^T b 75-92 % there. So a factor of training is transposed first where there are enough rows
// to pay for it. `linear` splits the rows among the threads itself: bias, activation and dropout, and in the backward
// the sums over the rows, act on a block of rows while it is in the second-level cache. a^T b is divided among the
// threads by rows of the result or, where the result is small, by what is summed over.
#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "heed/base/threads.h"
#include "heed/cpu/bias_activation.h"
#include "heed/cpu/cpu_backend.h"
#include "heed/cpu/factor.h"

namespace heed::cpu {
namespace {

constexpr int64_t kRowsWorthTransposing = 256;
constexpr int64_t kRowsWorthAThread = 32;
constexpr int64_t kBlockBytes = 512 << 10;
constexpr int64_t kSmallResult = 1 << 17;  // elements; each part then has a result of its own, which are added

void sgemm(char transpose_a, char transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a,
           int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  if (k == 0) {  // which oneDNN leaves as it is in some of its versions
    for (int64_t r = 0; beta == 0 && r < m; ++r) std::fill_n(c + r * ldc, n, 0.0f);
    return;
  }
  // oneDNN refuses leading dimensions below the row length, which a matrix of one row may have.
  const auto at_least = [](int64_t stride, int64_t length) { return std::max<int64_t>({stride, length, 1}); };
  const auto status = dnnl_sgemm(transpose_a, transpose_b, m, n, k, alpha, a, at_least(lda, transpose_a == 'T' ? m : k),
                                 b, at_least(ldb, transpose_b == 'T' ? k : n), beta, c, at_least(ldc, n));
  check<DeviceError>(status == dnnl_success, "oneDNN's sgemm failed with status {} for [{}, {}] x [{}, {}]",
                     static_cast<int>(status), m, k, k, n);
}

// Blocks of rows that stay in the second-level cache while something is done with `cols` numbers of each: of 128 rows
// or more (for fewer, sgemm packs its other operand too often), equally long, and as many for each thread.
int64_t blocks_of(int64_t rows, int64_t cols) {
  const int64_t most = std::max<int64_t>(kBlockBytes / (4 * std::max<int64_t>(cols, 1)), 128);
  const int64_t threads = std::clamp<int64_t>(rows / kRowsWorthAThread, 1, thread_count());
  return ((rows + most - 1) / most + threads - 1) / threads * threads;
}

// Calls body(first row, rows, part) for each block; `part` is below part_count(blocks_of(rows, cols), 1).
template <class Body>
void for_row_blocks(int64_t rows, int64_t cols, const Body& body) {
  const int64_t blocks = blocks_of(rows, cols);
  parallel_for(blocks, 1, [&](int64_t begin, int64_t end, int part) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = rows * i / blocks;
      body(first, rows * (i + 1) / blocks - first, part);
    }
  });
}

// c = alpha a^T b (+ c) on the calling thread, for columns [m0, m1) of a and rows [k0, k1) of both. The depth is cut:
// for 2048 x 512 x 1000, and for parts of 128 and 256 of its rows, a depth of 128 is 1.15 to 1.3 times as fast as the
// whole.
void transposed_block(const TensorView& a, const TensorView& b, float alpha, float beta, int64_t m0, int64_t m1,
                      int64_t k0, int64_t k1, float* c, int64_t c_stride) {
  const int64_t depth = b.cols() <= 1024 ? 128 : 512;
  for (int64_t k = k0; k < k1; k += depth)
    sgemm('T', 'N', m1 - m0, b.cols(), std::min(depth, k1 - k), alpha, a.row<float>(k) + m0, a.row_stride,
          b.row<float>(k), b.row_stride, k > k0 ? 1.0f : beta, c, c_stride);
}

// c = alpha a^T b (+ c).
void transposed_product(const TensorView& a, const TensorView& b, float alpha, bool accumulate, const TensorView& c) {
  const int64_t m = c.rows(), n = c.cols(), k = a.rows();
  const float beta = accumulate ? 1.0f : 0.0f;
  if (m * n > kSmallResult || k < 1024 || thread_count() == 1) {
    return parallel_for(m, {64, 128}, [&](int64_t begin, int64_t end, int) {
      transposed_block(a, b, alpha, beta, begin, end, 0, k, c.row<float>(begin), c.row_stride);
    });
  }
  const Grain grain{512, 1024};
  const int64_t parts = part_count(k, grain);
  std::vector<float> partial(static_cast<size_t>((parts - 1) * m * n));
  const auto part_of = [&](int64_t part) { return partial.data() + (part - 1) * m * n; };
  parallel_for(k, grain, [&](int64_t begin, int64_t end, int part) {
    if (part == 0) transposed_block(a, b, alpha, beta, 0, m, begin, end, c.as<float>(), c.row_stride);
    else transposed_block(a, b, alpha, 0, 0, m, begin, end, part_of(part), n);
  });
  parallel_for(m, 32, [&](int64_t begin, int64_t end, int) {
    for (int64_t part = 1; part < parts; ++part)
      for (int64_t r = begin; r < end; ++r)
        for (int64_t j = 0; j < n; ++j) c.row<float>(r)[j] += part_of(part)[r * n + j];
  });
}

// c = alpha a op(b) + beta c, rows divided among the threads.
void row_product(const TensorView& a, const TensorView& b, bool transpose_b, float alpha, float beta,
                 const TensorView& c) {
  parallel_for(c.rows(), {kRowsWorthAThread, 120}, [&](int64_t begin, int64_t end, int) {
    sgemm('N', transpose_b ? 'T' : 'N', end - begin, c.cols(), a.cols(), alpha, a.row<float>(begin), a.row_stride,
          b.as<float>(), b.row_stride, beta, c.row<float>(begin), c.row_stride);
  });
}

// The matrix as it lies, or turned about its diagonal where so many rows pay for that.
class PlainFactor final : public Factor {
 public:
  PlainFactor(const TensorView& b, bool transpose, int64_t rows) : b_(b), transpose_(transpose) {
    if (!transpose || rows < kRowsWorthTransposing) return;
    turned_.emplace(b.shape.numel());
    b_ = {turned_->as<float>(), DType::kF32, {b.cols(), b.rows()}, b.rows()};
    transpose_ = false;
    cpu_backend().transpose(b, b_);
  }

  int64_t out_features() const override { return transpose_ ? b_.rows() : b_.cols(); }
  int64_t in_features() const override { return transpose_ ? b_.cols() : b_.rows(); }

  void multiply(const TensorView& a, bool transpose_a, bool accumulate, const TensorView& c) const override {
    cpu_backend().gemm(a, transpose_a, b_, transpose_, 1, accumulate, c);
  }
  void linear(const TensorView& x, const TensorView& bias, Activation kind, const Dropout& dropout, const TensorView& z,
              const TensorView& y) const override {
    const int64_t n = y.cols(), k = x.cols();
    for_row_blocks(y.rows(), n, [&](int64_t r, int64_t rows, int) {
      sgemm('N', transpose_ ? 'T' : 'N', rows, n, k, 1, x.row<float>(r), x.row_stride, b_.as<float>(), b_.row_stride, 0,
            y.row<float>(r), y.row_stride);
      bias_activation(rows_of(y, r, rows), bias, kind, dropout, r, z ? rows_of(z, r, rows) : z);
    });
  }

 private:
  TensorView b_;
  bool transpose_;
  std::optional<Memory> turned_;
};

}  // namespace

void CpuBackend::gemm(const TensorView& a, bool transpose_a, const TensorView& b, bool transpose_b, float alpha,
                      bool accumulate, const TensorView& c) {
  const int64_t m = c.rows(), n = c.cols(), k = transpose_a ? a.rows() : a.cols();
  if (m == 0 || n == 0) return;
  if (k == 0) {
    if (!accumulate) fill(c, 0);
    return;
  }
  const float beta = accumulate ? 1.0f : 0.0f;
  if (transpose_a && !transpose_b) return transposed_product(a, b, alpha, accumulate, c);
  if (!transpose_a && m * n * k >= 64 * 64 * 64) return row_product(a, b, transpose_b, alpha, beta, c);
  sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, alpha, a.as<float>(), a.row_stride, b.as<float>(),
        b.row_stride, beta, c.as<float>(), c.row_stride);
}

std::shared_ptr<const Factor> plain_factor(const TensorView& b, bool transpose, int64_t rows) {
  return std::make_shared<PlainFactor>(b, transpose, rows);
}

// dz = dy m act'(z);  dx = dz w;  dw = dz^T x;  dbias = sum of dz over rows
void plain_linear_backward(const LinearBackward& p) {
  const int64_t m = p.dy.rows(), n = p.dy.cols(), k = p.in();
  std::vector<float> sums(static_cast<size_t>(p.dbias ? part_count(blocks_of(m, std::max(n, k)), 1) * n : 0));
  for_row_blocks(m, std::max(n, k), [&](int64_t r, int64_t rows, int part) {
    const TensorView dz = rows_of(p.dy, r, rows);
    bias_activation_backward(rows_of(p.kept, r, rows), p.kind, p.dropout, r, dz,
                             p.dbias ? sums.data() + part * n : nullptr);
    if (p.dx)
      sgemm('N', p.transposed ? 'T' : 'N', rows, k, n, 1, dz.as<float>(), dz.row_stride, p.w.as<float>(),
            p.w.row_stride, p.accumulate_dx ? 1 : 0, p.dx.row<float>(r), p.dx.row_stride);
  });
  if (p.dw)
    cpu_backend().gemm(p.transposed ? p.x : p.dy, true, p.transposed ? p.dy : p.x, false, 1, p.accumulate_dw, p.dw);
  p.put_bias(sums);
}

}  // namespace heed::cpu
