// The update of all parameters of a model at once, by Adam or, of the matrices that are named, by Muon. The moments are
// two flat buffers beside the parameters'.
//
// Weight decay is of matrices alone unless asked otherwise: that small weights are better says nothing of biases and of
// the scales of norms.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "heed/core/backend.h"
#include "heed/nn/parameters.h"
#include "heed/optim/muon.h"

namespace heed::optim {

// Where a matrix lies in the flat buffers.
struct Matrix {
  int64_t begin = 0, rows = 0, cols = 0;
  int64_t end() const { return begin + rows * cols; }
};

// Which matrices take Muon's steps in place of Adam's, by their parameters' names.
struct MuonMatrices {
  std::vector<std::string> names;
  float momentum = kMuonMomentum;
  DType product = DType::kF32;  // as of orthogonalise()
};

// Numbers [begin, end) of the flat buffers.
struct Share {
  int64_t begin = 0, end = 0;
  int64_t count() const { return end - begin; }
};
// The flat buffers in `count` shares about equally long, no matrix of Muon's in two of them.
std::vector<Share> shares_of(const nn::ParameterStore& parameters, const MuonMatrices& muon, int count);

class Optimizer {
 public:
  // Adam's betas and epsilon, weight decay and its kind are taken from `adam`; rate, scale and step come with each
  // call. `decay_all`: decay vectors, too. Muon takes decay off the weights, whatever `adam` says. The optimizer
  // updates `share` of the parameters, one of shares_of(), or all, and has moments for that alone.
  Optimizer(const nn::ParameterStore& parameters, const AdamParams& adam, bool decay_all = false,
            const MuonMatrices& muon = {}, const std::optional<Share>& share = {});

  // Updates the parameters from their gradients times `gradient_scale`, each at its factor of the rate (see
  // ParameterStore::rates()).
  void step(nn::ParameterStore& parameters, double learning_rate, float gradient_scale);

  int64_t steps() const { return adam_.step; }
  const Share& share() const { return share_; }
  // For checkpoints: what step() has accumulated, of the share. Of Muon's matrices the second moment stays zero.
  void restore_steps(int64_t steps) { adam_.step = steps; }
  const Tensor& first_moment() const { return first_; }
  const Tensor& second_moment() const { return second_; }

 private:
  void step_matrices(const nn::ParameterStore& parameters);

  Tensor share_of(const Tensor& flat) const { return flat.slice_rows(share_.begin, share_.count()); }

  AdamParams adam_;
  Share share_;
  float momentum_;
  DType muon_product_;
  std::vector<AdamRun> runs_;     // of the share: what Adam updates, neighbours that decay alike in one
  std::vector<Matrix> matrices_;  // of the share
  Tensor first_, second_;
};

}  // namespace heed::optim
