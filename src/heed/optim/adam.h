// Adam over all parameters of a model at once: its moments are two flat buffers beside the parameters'.
//
// Weight decay is of matrices alone unless asked otherwise: that small weights are better says nothing of biases and of
// the scales of norms.
#pragma once

#include "heed/core/backend.h"
#include "heed/nn/parameters.h"

namespace heed::optim {

class Adam {
 public:
  // betas, epsilon, weight decay and its kind are taken from `params`; rate, scale and step come with each call.
  // `decay_all`: decay vectors, too.
  Adam(const nn::ParameterStore& parameters, const AdamParams& params, bool decay_all = false);

  // Updates the parameters from their gradients times `gradient_scale`, each at its factor of the rate (see
  // ParameterStore::rates()).
  void step(nn::ParameterStore& parameters, double learning_rate, float gradient_scale);

  int64_t steps() const { return params_.step; }
  // For checkpoints: what step() has accumulated.
  void restore_steps(int64_t steps) { params_.step = steps; }
  const Tensor& first_moment() const { return first_; }
  const Tensor& second_moment() const { return second_; }

 private:
  // Neighbouring parameters that decay alike.
  struct Run {
    int64_t begin, end;
    bool decays;
  };

  AdamParams params_;
  std::vector<Run> runs_;
  Tensor first_, second_;
};

}  // namespace heed::optim
