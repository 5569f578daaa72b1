#include "heed/optim/adam.h"

#include <algorithm>

#include "heed/tensor/backends.h"

namespace heed::optim {

Adam::Adam(const nn::ParameterStore& parameters, const AdamParams& params, bool decay_all)
    : params_(params),
      first_(Tensor::zeros(parameters.values().shape(), DType::kF32, parameters.values().device())),
      second_(Tensor::zeros(parameters.values().shape(), DType::kF32, parameters.values().device())) {
  params_.step = 0;
  const Tensor& values = parameters.values();
  if (params.weight_decay == 0 || decay_all) {
    runs_.push_back({0, values.numel(), true});
    return;
  }
  for (const auto& [name, tensor] : parameters.named()) {
    if (tensor.body()->storage != values.body()->storage) continue;  // a constant
    const int64_t begin = tensor.data<float>() - values.data<float>();
    const bool decays = tensor.shape().rank() >= 2;
    if (runs_.empty() || runs_.back().decays != decays) runs_.push_back({begin, begin, decays});
    runs_.back().end = begin + tensor.numel();
  }
}

void Adam::step(nn::ParameterStore& parameters, double learning_rate, float gradient_scale) {
  ++params_.step;
  params_.gradient_scale = gradient_scale;
  Backend& on = backend(parameters.values().device());
  for (const auto& [first, count, factor] : parameters.rates())
    for (const Run& run : runs_) {
      const int64_t begin = std::max(first, run.begin), end = std::min(first + count, run.end);
      if (begin >= end) continue;
      const auto part = [&](const Tensor& whole) { return whole.slice_rows(begin, end - begin).view(); };
      AdamParams params = params_;
      params.learning_rate = static_cast<float>(learning_rate * factor);
      if (!run.decays) params.weight_decay = 0;
      on.adam(part(parameters.values()), part(parameters.gradients()), part(first_), part(second_), params);
    }
  parameters.values_changed();
}

}  // namespace heed::optim
