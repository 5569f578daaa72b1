// The linear map of training and its backward.
//
// Factors that are not in the product's element type are rounded by a kernel that writes a copy: a weight's copy lives
// as long as its factor, those of inputs and gradients, which in bf16 mostly lie as they are wanted, as long as the
// call.
#include "heed/cuda/gemm.h"

namespace heed::cuda {
namespace {

// b, or b^T, as the second factor of products.
class SecondFactor final : public PackedMatrix {
 public:
  SecondFactor(CudaBackend& backend, const TensorView& b, bool transpose, DType dtype)
      : operand_(backend, b, dtype), transpose_(transpose) {}
  int64_t out_features() const override { return transpose_ ? view().rows() : view().cols(); }
  int64_t in_features() const override { return transpose_ ? view().cols() : view().rows(); }
  const TensorView& view() const { return operand_.view(); }
  bool transpose() const { return transpose_; }

 private:
  Operand operand_;
  bool transpose_;
};

}  // namespace

std::string_view CudaBackend::bf16_instructions() const { return "tensor cores"; }

DType CudaBackend::activation_dtype(DType product) const { return product; }

std::shared_ptr<const PackedMatrix> CudaBackend::pack_factor(const TensorView& b, bool transpose, DType dtype,
                                                             int64_t) {
  return std::make_shared<SecondFactor>(*this, b, transpose, dtype);
}

void CudaBackend::gemm_factor(const TensorView& a, bool transpose_a, const PackedMatrix& b, bool accumulate,
                              const TensorView& c) {
  const auto& factor = static_cast<const SecondFactor&>(b);
  const Operand first(*this, a, factor.view().dtype);
  products_->run({.a = first.view(),
                  .transpose_a = transpose_a,
                  .b = factor.view(),
                  .transpose_b = factor.transpose(),
                  .accumulate = accumulate,
                  .c = c});
}

void CudaBackend::linear(const TensorView& x, const PackedMatrix& w, const TensorView& bias, Activation kind,
                         const Dropout& dropout, const TensorView& z, const TensorView& y) {
  const auto& factor = static_cast<const SecondFactor&>(w);
  const Operand input(*this, x, factor.view().dtype), addend(*this, bias, y.dtype);
  const bool relu = kind == Activation::kRelu;
  products_->run({.a = input.view(),
                  .b = factor.view(),
                  .transpose_b = factor.transpose(),
                  .bias = addend.view(),
                  .relu = relu,
                  .c = z ? z : y});
  if (z) activation(z, kind, y);
  bias_activation(stream(), y, {}, relu || z ? Activation::kNone : kind, dropout);
}

// dz = dy m act'(z);  dx = dz w;  dw = dz^T x;  dbias = sum of dz over rows
void CudaBackend::linear_backward(const TensorView& x, const TensorView& w, bool transposed, DType dtype,
                                  Activation kind, const Dropout& dropout, const TensorView& kept, const TensorView& dy,
                                  bool accumulate_dx, const TensorView& dx, bool accumulate_dw, const TensorView& dw,
                                  bool accumulate_dbias, const TensorView& dbias) {
  bias_activation_backward(stream(), kept, kind, dropout, dy);
  if (dbias) column_sum(dy, accumulate_dbias, dbias);
  if (!dx && !dw) return;
  const Operand dz(*this, dy, dtype);
  if (dx) {
    const Operand weight(*this, w, dtype);
    products_->run(
        {.a = dz.view(), .b = weight.view(), .transpose_b = transposed, .accumulate = accumulate_dx, .c = dx});
  }
  if (!dw) return;
  const Operand input(*this, x, dtype);
  products_->run({.a = transposed ? input.view() : dz.view(),
                  .transpose_a = true,
                  .b = transposed ? dz.view() : input.view(),
                  .accumulate = accumulate_dw,
                  .c = dw});
}

}  // namespace heed::cuda
