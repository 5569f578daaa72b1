// What a model is loaded for, and where to.
#pragma once

#include <optional>

#include "heed/core/device.h"
#include "heed/core/dtype.h"

namespace heed::models {

struct LoadOptions {
  // It will only be run: no gradients, one copy of each matrix (nn::ParameterStore::lay_out_for_inference).
  bool inference = false;
  // Of the matrices in memory, then: f32, or bf16 or f16, to which all are rounded. Not given: as the folder has them.
  // On the CPU what they are multiplied by, sums and results are f32, so the same numbers in f32 give the same results,
  // bit for bit; a GPU rounds what matrices in bf16 and f16 are multiplied by, too (what is beyond f16's largest
  // number, 65504, to that).
  std::optional<DType> matrices{};
  Device device{};
};

// For who only runs the model.
inline LoadOptions for_inference(std::optional<DType> matrices = {}, Device device = {}) {
  return {true, matrices, device};
}

}  // namespace heed::models
