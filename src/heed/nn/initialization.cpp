#include "heed/nn/initialization.h"

#include <cmath>

#include "heed/tensor/backends.h"

namespace heed::nn {

void xavier_uniform(const Tensor& x, int64_t fan_in, int64_t fan_out, Builder& b) {
  if (!b.random) return;
  const double limit = std::sqrt(6.0 / static_cast<double>(fan_in + fan_out));
  for (int64_t i = 0; i < x.numel(); ++i)
    x.data<float>()[i] = static_cast<float>((2 * b.random->uniform() - 1) * limit);
}

void normal(const Tensor& x, double deviation, Builder& b) {
  if (!b.random) return;
  for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = static_cast<float>(b.random->normal() * deviation);
}

void constant(const Tensor& x, double value, Builder& b) {
  if (b.random) backend(x.device()).fill(x.view(), value);
}

}  // namespace heed::nn
