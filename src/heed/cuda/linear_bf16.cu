// Matrix products whose factors are rounded to bf16, for tensor cores.
//
// A factor's rows are padded to a multiple of eight elements, the 16 bytes that tensor cores read at once.
#include "heed/cuda/gemm.h"
#include "heed/cuda/launch.h"
#include "heed/cuda/math-device.h"

namespace heed::cuda {
namespace {

int64_t padded(int64_t cols) { return (cols + 7) / 8 * 8; }

struct Round {
  Rows<const float> x;
  Rows<uint16_t> y;
  int64_t cols;  // of x: what lies beyond is zero
  __device__ void operator()(int64_t r, int64_t c) const { y[r][c] = c < cols ? bf16_bits(x[r][c]) : uint16_t{0}; }
};

// A matrix rounded to bf16, in the layout it came in.
class Rounded {
 public:
  Rounded(CudaBackend& backend, const TensorView& x)
      : stride_(padded(x.cols())), memory_(backend, static_cast<size_t>(x.rows() * stride_) * sizeof(uint16_t)) {
    for_each_element(backend.stream(), x.rows(), stride_,
                     Round{rows_of<const float>(x), {memory_.as<uint16_t>(), stride_}, x.cols()});
  }
  Factor factor(bool transpose) const { return {memory_.as<uint16_t>(), stride_, transpose}; }

 private:
  int64_t stride_;
  Scratch memory_;
};

class RoundedWeight final : public PackedMatrix {
 public:
  // b, or b^T, as a product's second factor.
  RoundedWeight(CudaBackend& backend, const TensorView& b, bool transpose)
      : out_(transpose ? b.rows() : b.cols()),
        in_(transpose ? b.cols() : b.rows()),
        transpose_(transpose),
        rounded_(backend, b) {}
  int64_t out_features() const override { return out_; }
  int64_t in_features() const override { return in_; }
  Factor factor() const { return rounded_.factor(transpose_); }

 private:
  int64_t out_, in_;
  bool transpose_;
  Rounded rounded_;
};

// c = a b (+ c); zeroes c where there is nothing to sum over.
void multiply_rounded(CudaBackend& backend, Products& products, const Factor& a, const Factor& b, int64_t depth,
                      bool accumulate, const TensorView& bias, bool relu, const TensorView& c) {
  if (c.rows() == 0 || c.cols() == 0) return;
  if (depth == 0) {
    if (!accumulate) backend.fill(c, 0);
    return bias_activation(backend.stream(), c, bias, relu ? Activation::kRelu : Activation::kNone, {});
  }
  Product p;
  p.factors = Factors::kBF16;
  p.m = c.rows();
  p.n = c.cols();
  p.k = depth;
  p.a = a;
  p.b = b;
  p.c = c.as<float>();
  p.c_stride = c.row_stride;
  p.accumulate = accumulate;
  p.bias = bias ? bias.as<float>() : nullptr;
  p.relu = relu;
  products.run(p);
}

}  // namespace

std::string_view CudaBackend::bf16_instructions() const { return "tensor cores"; }

std::shared_ptr<const PackedMatrix> CudaBackend::pack_bf16(const TensorView& b, bool transpose) {
  return std::make_shared<RoundedWeight>(*this, b, transpose);
}

void CudaBackend::gemm_bf16(const TensorView& a, bool transpose_a, const PackedMatrix& b, bool accumulate,
                            const TensorView& c) {
  const Rounded first(*this, a);
  multiply_rounded(*this, *products_, first.factor(transpose_a), static_cast<const RoundedWeight&>(b).factor(),
                   b.in_features(), accumulate, {}, false, c);
}

void CudaBackend::linear_bf16(const TensorView& x, const PackedMatrix& w, const TensorView& bias, Activation kind,
                              const Dropout& dropout, const TensorView& y) {
  const Rounded first(*this, x);
  const bool relu = kind == Activation::kRelu;
  multiply_rounded(*this, *products_, first.factor(false), static_cast<const RoundedWeight&>(w).factor(), x.cols(),
                   false, bias, relu, y);
  bias_activation(stream(), y, {}, relu ? Activation::kNone : kind, dropout);
}

void CudaBackend::linear_backward_bf16(const TensorView& x, const TensorView& w, bool transposed, Activation kind,
                                       const Dropout& dropout, const TensorView& y, const TensorView& dy,
                                       bool accumulate_dx, const TensorView& dx, bool accumulate_dw,
                                       const TensorView& dw, bool accumulate_dbias, const TensorView& dbias) {
  bias_activation_backward(stream(), y, kind, dropout, dy);
  if (dbias) column_sum(dy, accumulate_dbias, dbias);
  if (!dx && !dw) return;
  const Rounded dz(*this, dy);
  if (dx) {
    const Rounded weight(*this, w);
    multiply_rounded(*this, *products_, dz.factor(false), weight.factor(transposed), dy.cols(), accumulate_dx, {},
                     false, dx);
  }
  if (!dw) return;
  const Rounded input(*this, x);
  const Factor a = transposed ? input.factor(true) : dz.factor(true);
  const Factor b = transposed ? dz.factor(false) : input.factor(false);
  multiply_rounded(*this, *products_, a, b, dy.rows(), accumulate_dw, {}, false, dw);
}

}  // namespace heed::cuda
