// The linear map of training and its backward: which way its products are computed.
#include <algorithm>

#include "heed/cpu/bf16_kernels.h"
#include "heed/cpu/cpu_backend.h"
#include "heed/cpu/factor.h"

namespace heed::cpu {
namespace {

constexpr int64_t kRowsWorthParts = 64;  // for fewer, a weight in f32 is not worth cutting into parts

// nullptr: sgemm
const bf16::Kernels* tile_kernels(DType dtype, int64_t rows) {
  return dtype == DType::kF32 && rows < kRowsWorthParts ? nullptr : bf16::kernels(dtype);
}

}  // namespace

std::string_view CpuBackend::bf16_instructions() const { return bf16::kernels(DType::kBF16)->name; }

std::shared_ptr<const PackedMatrix> CpuBackend::pack_factor(const TensorView& b, bool transpose, DType dtype,
                                                            int64_t rows) {
  const bf16::Kernels* tiles = tile_kernels(dtype, rows);
  return tiles ? tile_factor(*tiles, b, transpose) : plain_factor(b, transpose, rows);
}

void CpuBackend::gemm_factor(const TensorView& a, bool transpose_a, const PackedMatrix& b, bool accumulate,
                             const TensorView& c) {
  static_cast<const Factor&>(b).multiply(a, transpose_a, accumulate, c);
}

void CpuBackend::linear(const TensorView& x, const PackedMatrix& w, const TensorView& bias, Activation kind,
                        const Dropout& dropout, const TensorView& z, const TensorView& y) {
  static_cast<const Factor&>(w).linear(x, bias, kind, dropout, z, y);
}

void CpuBackend::linear_backward(const TensorView& x, const TensorView& w, bool transposed, DType dtype,
                                 Activation kind, const Dropout& dropout, const TensorView& kept, const TensorView& dy,
                                 bool accumulate_dx, const TensorView& dx, bool accumulate_dw, const TensorView& dw,
                                 bool accumulate_dbias, const TensorView& dbias) {
  const LinearBackward p{
      x, w, transposed, kind, dropout, kept, dy, accumulate_dx, dx, accumulate_dw, dw, accumulate_dbias, dbias};
  if (const bf16::Kernels* tiles = tile_kernels(dtype, dy.rows())) tile_linear_backward(*tiles, p);
  else plain_linear_backward(p);
}

void LinearBackward::put_bias(const std::vector<float>& sums) const {
  if (!dbias) return;
  const auto n = static_cast<size_t>(dy.cols());
  auto* out = dbias.as<float>();
  if (!accumulate_dbias) std::fill_n(out, n, 0.0f);
  for (size_t t = 0; t < sums.size(); t += n)
    for (size_t j = 0; j < n; ++j) out[j] += sums[t + j];
}

}  // namespace heed::cpu
