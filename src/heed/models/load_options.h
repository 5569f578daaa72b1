// What a model is loaded for, and where to.
#pragma once

#include <optional>

#include "heed/base/error.h"
#include "heed/core/device.h"
#include "heed/core/dtype.h"

namespace heed::models {

struct LoadOptions {
  // It will only be run: no gradients, one copy of each matrix (nn::ParameterStore::lay_out_for_inference).
  bool inference = false;
  // Of the matrices in memory, then: f32, or bf16, to which all are rounded. Not given: bf16 those that the folder has
  // in bf16, the others f32. What they are multiplied by, sums and results are f32, so the same numbers in f32 give the
  // same results, bit for bit.
  std::optional<DType> matrices{};
  Device device{};
};

// For who only runs the model. On a GPU its weights are laid out as in training, in f32, so far; throws UsageError if
// they are wanted otherwise there.
inline LoadOptions for_inference(std::optional<DType> matrices = {}, Device device = {}) {
  check<UsageError>(device.is_host() || matrices.value_or(DType::kF32) == DType::kF32,
                    "matrices in {} are for the CPU so far, not for {}", name_of(matrices.value_or(DType::kF32)),
                    name_of(device));
  return {device.is_host(), matrices, device};
}

}  // namespace heed::models
