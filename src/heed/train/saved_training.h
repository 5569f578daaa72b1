// A training as a checkpoint: the parameters under their names (so that model.safetensors of a checkpoint can be used
// like that of a model folder), the optimizer's moments, the moving average, and the state.
#pragma once

#include <filesystem>

#include "heed/io/checkpoint.h"
#include "heed/train/state.h"
#include "heed/train/stepper.h"

namespace heed::train {

// Writes checkpoints/step-<state.step>, which is returned. Throws IoError.
std::filesystem::path save_training(const std::filesystem::path& checkpoints, const TrainState& state,
                                    const nn::ParameterStore& parameters, const Stepper& stepper,
                                    const Stepper::Moments& moments);

// Fills the parameters and the stepper. Throws FormatError if the checkpoint is of another model.
TrainState restore_training(const io::CheckpointReader& checkpoint, nn::ParameterStore& parameters, Stepper& stepper);

}  // namespace heed::train
