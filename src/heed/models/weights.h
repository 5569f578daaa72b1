// Between a model's named parameters and the tensors of a folder.
//
// A parameter's name is its checkpoint key as transformers writes it today. Folders may differ: older names, a prefix
// that is missing or too many, copies of tied matrices, buffers that are no parameters. Each family says in its
// WeightRules what it knows of; the matching itself, below, is the same for all.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "heed/io/model_folder.h"
#include "heed/models/load_options.h"
#include "heed/nn/parameters.h"

namespace heed::models {

// How names may differ between a model and what folders hold.
struct WeightRules {
  // A parameter that a folder may lack; it is zero then.
  std::function<bool(const std::string& name)> optional = [](const std::string&) { return false; };
  // A tensor of the folder that the model does not hold but knows of: a buffer, a fixed table, another head.
  std::function<bool(const std::string& name)> ignored = [](const std::string&) { return false; };
  // Gives the name that the model has for one that is written otherwise (older files, names in memory); a name that is
  // as it should be comes back unchanged.
  std::function<std::string(const std::string& name)> rename = [](const std::string& name) { return name; };
  // The prefix of the base model's names ("bert."): a folder may leave it away, and a base model alone has none while
  // the folder may.
  std::string base_prefix{};
  // Names of further copies of a parameter, which the configuration ties: {copy, parameter}. Files hold any of them.
  std::vector<std::pair<std::string, std::string>> tied{};
};

// "gamma" and "beta", as TensorFlow's checkpoints called a norm's "weight" and "bias": for WeightRules::rename.
std::string modern_norm_name(const std::string& name);

// The parameter that a tensor named `name` is for: itself, or by the rules (copies of tied parameters included);
// nothing if there is none.
std::optional<std::string> parameter_for(const nn::ParameterStore& parameters, const WeightRules& rules,
                                         const std::string& name);

// Whether the folder holds different numbers for a parameter and its copy, although they are tied.
bool ties_are_broken(const nn::ParameterStore& parameters, const io::ModelFolder& folder, const WeightRules& rules);

// The tensor of the folder that each parameter is read from. Throws FormatError if two tensors are one parameter.
std::map<std::string, std::string> sources_of(const nn::ParameterStore& parameters, const io::ModelFolder& folder,
                                              const WeightRules& rules);

// Fills the parameters from the folder, converting to f32 or as the options say. Throws FormatError that lists missing
// and unexpected tensors by name, or names a tensor whose shape or type differs.
void load_weights(nn::ParameterStore& parameters, const io::ModelFolder& folder, const WeightRules& rules,
                  const LoadOptions& options = {});

// The same for the body alone: parameters of a head that the folder lacks, or has in another shape, stay as they are;
// their names are returned. What belongs to a head is what does not begin with the rules' base_prefix, or is ignored by
// them (a pooler).
std::vector<std::string> load_body(nn::ParameterStore& parameters, const io::ModelFolder& folder,
                                   const WeightRules& rules);

// A tensor to be written under this name, brought to the host if it lies elsewhere.
io::NamedView named_view(std::string name, const Tensor& tensor);

// All parameters under their names, to be written.
std::vector<io::NamedView> named_views(const nn::ParameterStore& parameters);

}  // namespace heed::models
