// The mean of the weights of several models of one structure (Izmailov et al. 2018; Vaswani et al. 2017, section 6.1).
#pragma once

#include <filesystem>
#include <vector>

namespace heed::train {

// Each input is a model folder, or a checkpoint of a training (OUTPUT/checkpoints/step-…). Writes the model folder
// `output`: the mean in f32, summed in f64, and all else from the first input. Throws UsageError for no inputs and for
// an output that exists, FormatError where the inputs do not have the same tensors, IoError.
void average_models(const std::vector<std::filesystem::path>& inputs, const std::filesystem::path& output);

}  // namespace heed::train
