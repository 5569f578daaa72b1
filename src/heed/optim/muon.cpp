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

void orthogonalise(Device device, const TensorView& x, DType product) {
  Backend& on = backend(device);
  const auto add_product = [&](const TensorView& a, bool transpose_a, const TensorView& b, bool transpose_b,
                               const TensorView& c, bool accumulate = true) {
    on.gemm_factor(a, transpose_a, *on.pack_factor(b, transpose_b, product, c.rows()), accumulate, c);
  };
  // The smaller of both products of x and its transpose.
  const bool tall = x.rows() > x.cols();
  const int64_t side = std::min(x.rows(), x.cols());
  const Tensor gram = Tensor::empty({side, side}, DType::kF32, device);
  const Tensor polynomial = Tensor::empty({side, side}, DType::kF32, device);
  const Tensor copy = Tensor::empty(x.shape, DType::kF32, device);
  on.divide_by_length(x, kLeastNorm);
  const float root = std::sqrt(kC);
  for (int round = 0; round < kRounds; ++round) {
    add_product(x, tall, x, !tall, gram.view(), false);
    on.scale(gram.view(), root, false, gram.view());
    on.scale(gram.view(), kB / root, false, polynomial.view());
    add_product(gram.view(), false, gram.view(), false, polynomial.view());
    on.copy(x, copy.view());
    on.scale(x, kA, false, x);
    if (tall) add_product(copy.view(), false, polynomial.view(), false, x);
    else add_product(polynomial.view(), false, copy.view(), false, x);
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
  orthogonalise(device, update.view(), p.product);
  const double length = 0.2 * std::sqrt(static_cast<double>(std::max(w.rows(), w.cols())));
  on.scale(w, 1 - p.learning_rate * p.weight_decay, false, w);
  on.scale(update.view(), static_cast<float>(-p.learning_rate * length), true, w);
}

}  // namespace heed::optim
