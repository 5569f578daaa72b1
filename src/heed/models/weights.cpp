#include "heed/models/weights.h"

#include <fmt/ranges.h>

#include <cstring>
#include <set>

#include "heed/tensor/backends.h"

namespace heed::models {
namespace {

std::string listed(const std::vector<std::string>& names) {
  constexpr size_t kShown = 8;
  if (names.size() <= kShown) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{}, and {} more", fmt::join(names.begin(), names.begin() + kShown, ", "), names.size() - kShown);
}

// The name under which the folder holds the parameter.
std::string name_in(const io::ModelFolder& folder, const std::string& name, const WeightRules& rules) {
  const bool bare = !rules.base_prefix.empty() && name.starts_with(rules.base_prefix) && !folder.contains(name);
  return bare ? name.substr(rules.base_prefix.size()) : name;
}

}  // namespace

void load_weights(nn::ParameterStore& parameters, const io::ModelFolder& folder, const WeightRules& rules) {
  std::vector<std::string> missing, unexpected;
  std::set<std::string> known;
  for (const auto& [own_name, tensor] : parameters.named()) {
    const std::string name = name_in(folder, own_name, rules);
    known.insert(name);
    if (!folder.contains(name)) {
      if (!rules.optional(own_name)) missing.push_back(own_name);
      continue;
    }
    const TensorView from = folder.view(name);
    check<FormatError>(from.shape == tensor.shape(), "{}: tensor \"{}\" has shape {}; the configuration asks for {}",
                       folder.path().string(), name, from.shape.to_string(), tensor.shape().to_string());
    check<FormatError>(from.dtype == DType::kF32 || from.dtype == DType::kBF16 || from.dtype == DType::kF16,
                       "{}: tensor \"{}\" is of type {}; f32, bf16 or f16 was expected", folder.path().string(), name,
                       name_of(from.dtype));
    backend(tensor.device()).copy(from, tensor.view());
  }
  for (const std::string& name : folder.names())
    if (!known.contains(name) && !rules.ignored(name)) unexpected.push_back(name);
  check<FormatError>(missing.empty(), "{}: tensors are missing: {}", folder.path().string(), listed(missing));
  check<FormatError>(unexpected.empty(), "{}: tensors that the configuration does not account for: {}",
                     folder.path().string(), listed(unexpected));
  parameters.values_changed();
}

bool same_tensor(const io::ModelFolder& folder, const std::string& a, const std::string& b) {
  const TensorView x = folder.view(a), y = folder.view(b);
  if (x.shape != y.shape || x.dtype != y.dtype) return false;
  return std::memcmp(x.data, y.data, static_cast<size_t>(x.shape.numel()) * size_of(x.dtype)) == 0;
}

std::vector<io::NamedView> named_views(const nn::ParameterStore& parameters) {
  std::vector<io::NamedView> views;
  for (const auto& [name, tensor] : parameters.named()) views.push_back({name, tensor.view()});
  return views;
}

}  // namespace heed::models
