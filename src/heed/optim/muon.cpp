#include "heed/optim/muon.h"

#include <algorithm>
#include <cmath>

#include "heed/tensor/backends.h"
#include "heed/tensor/tensor.h"

namespace heed::optim {
namespace {

constexpr float kA = 3.4445f, kB = -4.775f, kC = 2.0315f;
constexpr int kRounds = 5;
constexpr double kLeastNorm = 1e-7;

}  // namespace

void orthogonalise(Device device, const TensorView& x) {
  Backend& on = backend(device);
  // The smaller of both products of x and its transpose.
  const bool tall = x.rows() > x.cols();
  const int64_t side = std::min(x.rows(), x.cols());
  const Tensor gram = Tensor::empty({side, side}, DType::kF32, device);
  const Tensor polynomial = Tensor::empty({side, side}, DType::kF32, device);
  const Tensor copy = Tensor::empty(x.shape, DType::kF32, device);
  const double norm = std::sqrt(on.sum_of_squares(x));
  on.scale(x, static_cast<float>(1 / std::max(norm, kLeastNorm)), false, x);
  for (int round = 0; round < kRounds; ++round) {
    on.gemm(x, tall, x, !tall, 1, false, gram.view());
    on.scale(gram.view(), kB, false, polynomial.view());
    on.gemm(gram.view(), false, gram.view(), false, kC, true, polynomial.view());
    on.copy(x, copy.view());
    on.scale(x, kA, false, x);
    if (tall) on.gemm(copy.view(), false, polynomial.view(), false, 1, true, x);
    else on.gemm(polynomial.view(), false, copy.view(), false, 1, true, x);
  }
}

void muon(Device device, const TensorView& w, const TensorView& dw, const TensorView& m, const MuonParams& p) {
  Backend& on = backend(device);
  const float rest = (1 - p.momentum) * p.gradient_scale;
  on.scale(m, p.momentum, false, m);
  on.scale(dw, rest, true, m);
  const Tensor update = Tensor::empty(w.shape, DType::kF32, device);
  on.scale(dw, rest, false, update.view());
  on.scale(m, p.momentum, true, update.view());
  orthogonalise(device, update.view());
  const double length = 0.2 * std::sqrt(static_cast<double>(std::max(w.rows(), w.cols())));
  on.scale(w, 1 - p.learning_rate * p.weight_decay, false, w);
  on.scale(update.view(), static_cast<float>(-p.learning_rate * length), true, w);
}

}  // namespace heed::optim
