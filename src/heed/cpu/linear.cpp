// The linear map of training and its backward: which way its products are computed.
#include <algorithm>

#include "heed/cpu/bf16_kernels.h"
#include "heed/cpu/cpu_backend.h"
#include "heed/cpu/factor.h"

namespace heed::cpu {
namespace {

// Of bf16 a number; 0: not in tiles. AMX multiplies f32 numbers in three parts faster than AVX-512 whole ones, unless
// they are so few that cutting them up takes longer.
int parts_of(DType dtype, int64_t rows, int64_t out, int64_t in) {
  if (dtype == DType::kBF16) return 1;
  return bf16::kernels().multiply_parts && rows >= 64 && std::min(out, in) >= 32 && out * in >= 64 * 64 ? 3 : 0;
}

}  // namespace

std::string_view CpuBackend::bf16_instructions() const { return bf16::kernels().name; }

std::shared_ptr<const PackedMatrix> CpuBackend::pack_factor(const TensorView& b, bool transpose, DType dtype,
                                                            int64_t rows) {
  const int parts = parts_of(dtype, rows, b.rows(), b.cols());
  return parts > 0 ? tile_factor(b, transpose, parts) : plain_factor(b, transpose, rows);
}

void CpuBackend::gemm_factor(const TensorView& a, bool transpose_a, const PackedMatrix& b, bool accumulate,
                             const TensorView& c) {
  static_cast<const Factor&>(b).multiply(a, transpose_a, accumulate, c);
}

void CpuBackend::linear(const TensorView& x, const PackedMatrix& w, const TensorView& bias, Activation kind,
                        const Dropout& dropout, const TensorView& y) {
  static_cast<const Factor&>(w).linear(x, bias, kind, dropout, y);
}

void CpuBackend::linear_backward(const TensorView& x, const TensorView& w, bool transposed, DType dtype,
                                 Activation kind, const Dropout& dropout, const TensorView& y, const TensorView& dy,
                                 bool accumulate_dx, const TensorView& dx, bool accumulate_dw, const TensorView& dw,
                                 bool accumulate_dbias, const TensorView& dbias) {
  const LinearBackward p{
      x, w, transposed, kind, dropout, y, dy, accumulate_dx, dx, accumulate_dw, dw, accumulate_dbias, dbias};
  const int parts = parts_of(dtype, dy.rows(), dy.cols(), p.in());
  if (parts > 0) tile_linear_backward(p, parts);
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
