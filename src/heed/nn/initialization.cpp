#include "heed/nn/initialization.h"

#include <cmath>

namespace heed::nn {

void xavier_uniform(const Tensor& x, int64_t fan_in, int64_t fan_out, Random& random) {
  const double limit = std::sqrt(6.0 / static_cast<double>(fan_in + fan_out));
  for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = static_cast<float>((2 * random.uniform() - 1) * limit);
}

void normal(const Tensor& x, double deviation, Random& random) {
  for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = static_cast<float>(random.normal() * deviation);
}

}  // namespace heed::nn
