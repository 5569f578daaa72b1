// Between a model's named parameters and the tensors of a folder.
#pragma once

#include <functional>

#include "heed/io/model_folder.h"
#include "heed/nn/parameters.h"

namespace heed::models {

// How names may differ between a model and what folders hold.
struct WeightRules {
  // A tensor of the model that a folder may lack (it keeps its initial value).
  std::function<bool(const std::string& name)> optional = [](const std::string&) { return false; };
  // A tensor of the folder that the model does not hold but knows of (a tied copy, a fixed table).
  std::function<bool(const std::string& name)> ignored = [](const std::string&) { return false; };
  // What names begin with that a folder of the model without its head lacks ("transformer."); may be empty.
  std::string base_prefix{};
};

// Fills the parameters from the folder, converting to f32. Throws FormatError that lists missing and unexpected tensors
// by name, or names a tensor whose shape differs.
void load_weights(nn::ParameterStore& parameters, const io::ModelFolder& folder, const WeightRules& rules);

// Whether two tensors of a folder hold the same numbers, as copies of tied weights do.
bool same_tensor(const io::ModelFolder& folder, const std::string& a, const std::string& b);

// All parameters under their names, to be written.
std::vector<io::NamedView> named_views(const nn::ParameterStore& parameters);

}  // namespace heed::models
