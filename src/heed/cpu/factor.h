// The second factor of training's products, in one of two forms: as it lies in memory, for oneDNN's sgemm, or cut into
// tiles of bf16 numbers (bf16_kernels.h), one for each of the factor's or the three parts of one in f32.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "heed/core/backend.h"
#include "heed/cpu/bf16_kernels.h"

namespace heed::cpu {

class Factor : public PackedMatrix {
 public:
  virtual void multiply(const TensorView& a, bool transpose_a, bool accumulate, const TensorView& c) const = 0;
  virtual void linear(const TensorView& x, const TensorView& bias, Activation kind, const Dropout& dropout,
                      const TensorView& z, const TensorView& y) const = 0;
};

inline TensorView rows_of(const TensorView& x, int64_t row, int64_t rows) {
  return {x.row<float>(row), DType::kF32, {rows, x.cols()}, x.row_stride};
}

// The arguments of Backend::linear_backward.
struct LinearBackward {
  TensorView x, w;
  bool transposed;
  Activation kind;
  Dropout dropout;
  TensorView kept, dy;
  bool accumulate_dx;
  TensorView dx;
  bool accumulate_dw;
  TensorView dw;
  bool accumulate_dbias;
  TensorView dbias;

  int64_t in() const { return w.shape.numel() / std::max<int64_t>(dy.cols(), 1); }
  // dbias from the sums over the rows of each part: [parts, out]
  void put_bias(const std::vector<float>& sums) const;
};

std::shared_ptr<const Factor> plain_factor(const TensorView& b, bool transpose, int64_t rows);
void plain_linear_backward(const LinearBackward& p);

std::shared_ptr<const Factor> tile_factor(const bf16::Kernels& kernels, const TensorView& b, bool transpose);
void tile_linear_backward(const bf16::Kernels& kernels, const LinearBackward& p);

}  // namespace heed::cpu
