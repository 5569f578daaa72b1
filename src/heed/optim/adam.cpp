#include "heed/optim/adam.h"

#include "heed/tensor/backends.h"

namespace heed::optim {

Adam::Adam(const nn::ParameterStore& parameters, const AdamParams& params)
    : params_(params),
      first_(Tensor::zeros(parameters.values().shape())),
      second_(Tensor::zeros(parameters.values().shape())) {
  params_.step = 0;
}

void Adam::step(nn::ParameterStore& parameters, double learning_rate, float gradient_scale) {
  ++params_.step;
  params_.learning_rate = static_cast<float>(learning_rate);
  params_.gradient_scale = gradient_scale;
  backend(parameters.values().device())
      .adam(parameters.values().view(), parameters.gradients().view(), first_.view(), second_.view(), params_);
  parameters.values_changed();
}

}  // namespace heed::optim
