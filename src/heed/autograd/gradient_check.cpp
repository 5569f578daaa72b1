#include "heed/autograd/gradient_check.h"

#include <cmath>

namespace heed {

GradientCheck check_gradients(const std::function<Tensor(const std::vector<Tensor>&)>& f, std::vector<Tensor> inputs,
                              double epsilon, int samples) {
  for (Tensor& x : inputs) {
    x.set_requires_grad(true);
    x.body()->grad_written = false;
  }
  backward(f(inputs));
  const auto value = [&] {
    const NoGrad no_grad;
    return static_cast<double>(f(inputs).item());
  };
  GradientCheck result;
  for (size_t n = 0; n < inputs.size(); ++n) {
    auto* x = inputs[n].data<float>();
    const int64_t numel = inputs[n].numel();
    const Tensor grad = inputs[n].grad();
    const std::vector<float> analytic =
        grad.defined() ? grad.to_vector<float>() : std::vector<float>(static_cast<size_t>(numel));
    const int64_t step = std::max<int64_t>(1, numel / samples);
    for (int64_t i = 0; i < numel; i += step) {
      const float before = x[i];
      x[i] = static_cast<float>(before + epsilon);
      const double above = value(), x_above = x[i];
      x[i] = static_cast<float>(before - epsilon);
      const double below = value(), x_below = x[i];
      x[i] = before;
      const double numeric = (above - below) / (x_above - x_below);
      const double error = std::abs(analytic[static_cast<size_t>(i)] - numeric) / (1 + std::abs(numeric));
      if (!(error <= result.largest_error)) {
        result.largest_error = error;
        result.where =
            fmt::format("input {}, element {}: {}, numerically {}", n, i, analytic[static_cast<size_t>(i)], numeric);
      }
    }
  }
  return result;
}

}  // namespace heed
