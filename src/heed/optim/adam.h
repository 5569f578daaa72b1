// Adam over all parameters of a model at once: its moments are two flat buffers beside the parameters'.
#pragma once

#include "heed/core/backend.h"
#include "heed/nn/parameters.h"

namespace heed::optim {

class Adam {
 public:
  // betas, epsilon, weight decay and its kind are taken from `params`; rate, scale and step come with each call.
  Adam(const nn::ParameterStore& parameters, const AdamParams& params);

  // Updates the parameters from their gradients times `gradient_scale`.
  void step(nn::ParameterStore& parameters, double learning_rate, float gradient_scale);

  int64_t steps() const { return params_.step; }
  // For checkpoints: what step() has accumulated.
  void restore_steps(int64_t steps) { params_.step = steps; }
  const Tensor& first_moment() const { return first_; }
  const Tensor& second_moment() const { return second_; }

 private:
  AdamParams params_;
  Tensor first_, second_;
};

}  // namespace heed::optim
