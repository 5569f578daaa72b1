// Noting what passes through a model (nn::Trace), where somebody wants to know.
#pragma once

#include "heed/nn/layers.h"

namespace heed::models {

// Where the attention matrices of the next layer go; nullptr if nobody asks.
inline std::vector<Tensor>* next_layer(std::vector<std::vector<Tensor>> nn::Trace::*list, const nn::Pass& pass) {
  return pass.trace ? &(pass.trace->*list).emplace_back() : nullptr;
}

inline void note(std::vector<Tensor> nn::Trace::*list, const nn::Pass& pass, const Tensor& x) {
  if (pass.trace) (pass.trace->*list).push_back(x);
}

}  // namespace heed::models
