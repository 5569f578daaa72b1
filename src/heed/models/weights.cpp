#include "heed/models/weights.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "heed/tensor/backends.h"

namespace heed::models {
namespace {

std::string listed(const std::vector<std::string>& names) {
  constexpr size_t kShown = 8;
  if (names.size() <= kShown) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{}, and {} more", fmt::join(names.begin(), names.begin() + kShown, ", "), names.size() - kShown);
}

// Looks names up by the rules.
class NameMatcher {
 public:
  NameMatcher(const nn::ParameterStore& parameters, const WeightRules& rules) : rules_(rules) {
    for (const auto& [name, tensor] : parameters.named()) parameters_.emplace(name, tensor);
    for (const auto& [copy, name] : rules.tied) tied_.emplace(copy, name);
  }

  const Tensor& tensor(const std::string& parameter) const { return parameters_.at(parameter); }

  // The parameter that `name` is for, and whether it is a copy of what is tied to it.
  struct Match {
    std::string parameter;
    bool copy = false;
  };
  std::optional<Match> find(const std::string& name) const {
    if (auto match = find_exactly(name)) return match;
    const std::string renamed = rules_.rename(name);
    if (auto match = find_exactly(renamed)) return match;
    if (rules_.base_prefix.empty()) return std::nullopt;
    if (renamed.starts_with(rules_.base_prefix)) return find_exactly(renamed.substr(rules_.base_prefix.size()));
    return find_exactly(rules_.base_prefix + renamed);
  }

 private:
  std::optional<Match> find_exactly(const std::string& name) const {
    if (parameters_.contains(name)) return Match{name, false};
    const auto tie = tied_.find(name);
    if (tie != tied_.end() && parameters_.contains(tie->second)) return Match{tie->second, true};
    return std::nullopt;
  }

  const WeightRules& rules_;
  std::unordered_map<std::string, Tensor> parameters_;
  std::unordered_map<std::string, std::string> tied_;
};

// Which tensor of the folder fills which parameter.
struct Plan {
  std::map<std::string, std::string> source_of;                 // parameter -> tensor
  std::vector<std::pair<std::string, std::string>> duplicates;  // a copy, and the tensor that is taken in its place
  std::vector<std::string> unexpected;
};

Plan make_plan(const NameMatcher& matcher, const io::ModelFolder& folder, const WeightRules& rules) {
  Plan plan;
  std::vector<std::pair<std::string, std::string>> copies;  // tensor, parameter
  for (const std::string& name : folder.names()) {
    const auto match = matcher.find(name);
    if (!match) {
      if (!rules.ignored(name) && !rules.ignored(rules.rename(name))) plan.unexpected.push_back(name);
    } else if (match->copy) {
      copies.emplace_back(name, match->parameter);
    } else {
      const auto [at, fresh] = plan.source_of.emplace(match->parameter, name);
      check<FormatError>(fresh, "{}: the tensors \"{}\" and \"{}\" are both \"{}\"", folder.path().string(), at->second,
                         name, match->parameter);
    }
  }
  for (const auto& [name, parameter] : copies) {
    const auto [at, fresh] = plan.source_of.emplace(parameter, name);
    if (!fresh) plan.duplicates.emplace_back(name, at->second);
  }
  return plan;
}

void check_tensor(const io::ModelFolder& folder, const std::string& name, const Tensor& tensor) {
  const io::TensorInfo info = folder.info(name);
  check<FormatError>(info.dtype == "F32" || info.dtype == "BF16" || info.dtype == "F16",
                     "{}: tensor \"{}\" is of type {}; F32, BF16 or F16 was expected", folder.path().string(), name,
                     info.dtype);
  const std::span<const int64_t> dims = tensor.shape().dims();
  check<FormatError>(std::ranges::equal(info.shape, dims),
                     "{}: tensor \"{}\" has shape [{}]; the configuration asks for [{}]", folder.path().string(), name,
                     fmt::join(info.shape, ", "), fmt::join(dims, ", "));
}

bool same_shape(const io::ModelFolder& folder, const std::string& name, const Tensor& tensor) {
  return std::ranges::equal(folder.info(name).shape, tensor.shape().dims());
}

// Whether two tensors of a folder hold the same numbers in the same type and shape.
bool same_tensor(const io::ModelFolder& folder, const std::string& a, const std::string& b) {
  const io::TensorInfo x = folder.info(a), y = folder.info(b);
  if (x.dtype != y.dtype || x.shape != y.shape) return false;
  constexpr uint64_t kBlock = 1 << 20;
  std::vector<std::byte> left(kBlock), right(kBlock);
  for (uint64_t begin = 0; begin < x.bytes; begin += kBlock) {
    const size_t n = std::min(kBlock, x.bytes - begin);
    folder.read(a, begin, std::span(left).first(n));
    folder.read(b, begin, std::span(right).first(n));
    if (std::memcmp(left.data(), right.data(), n) != 0) return false;
  }
  return true;
}

void lay_out_for_inference(nn::ParameterStore& parameters, const io::ModelFolder& folder, const Plan& plan,
                           std::optional<DType> matrices) {
  const DType wanted = matrices.value_or(DType::kF32);
  check<UsageError>(wanted == DType::kF32 || wanted == DType::kBF16 || wanted == DType::kF16,
                    "matrices are kept in f32, bf16 or f16, not in {}", name_of(wanted));
  parameters.lay_out_for_inference([&](const std::string& name) {
    const auto source = plan.source_of.find(name);
    if (matrices || source == plan.source_of.end()) return wanted;
    const std::string& dtype = folder.info(source->second).dtype;
    return dtype == "BF16" ? DType::kBF16 : dtype == "F16" ? DType::kF16 : DType::kF32;
  });
}

// Fills the parameters; those that may be new stay as they are if the folder lacks them or has another shape. Returns
// their names.
template <class MayBeNew>
std::vector<std::string> load(nn::ParameterStore& parameters, const io::ModelFolder& folder, const WeightRules& rules,
                              const LoadOptions& options, const MayBeNew& may_be_new) {
  const NameMatcher matcher(parameters, rules);
  Plan plan = make_plan(matcher, folder, rules);
  if (options.inference) lay_out_for_inference(parameters, folder, plan, options.matrices);
  std::erase_if(plan.unexpected, [&](const std::string& name) { return may_be_new(rules.rename(name)); });
  std::vector<std::string> missing, fresh;
  std::vector<io::ModelFolder::Placed> placed;
  for (const auto& [name, tensor] : parameters.named()) {
    const auto source = plan.source_of.find(name);
    const bool found = source != plan.source_of.end();
    if (!found && rules.optional(name)) {
      backend(tensor.device()).fill(tensor.view(), 0);
    } else if (may_be_new(name) && (!found || !same_shape(folder, source->second, tensor))) {
      fresh.push_back(name);
    } else if (found) {
      check_tensor(folder, source->second, tensor);
      placed.push_back({source->second, tensor.view()});
    } else {
      missing.push_back(name);
    }
  }
  check<FormatError>(missing.empty(), "{}: tensors are missing: {}", folder.path().string(), listed(missing));
  check<FormatError>(plan.unexpected.empty(), "{}: tensors that the configuration does not account for: {}",
                     folder.path().string(), listed(plan.unexpected));
  folder.load_into(placed);
  parameters.values_changed();
  return fresh;
}

}  // namespace

std::string modern_norm_name(const std::string& name) {
  for (const auto& [old, modern] : {std::pair<std::string_view, const char*>{".gamma", ".weight"}, {".beta", ".bias"}})
    if (name.ends_with(old)) return name.substr(0, name.size() - old.size()) + modern;
  return name;
}

std::optional<std::string> parameter_for(const nn::ParameterStore& parameters, const WeightRules& rules,
                                         const std::string& name) {
  const auto match = NameMatcher(parameters, rules).find(name);
  return match ? std::optional(match->parameter) : std::nullopt;
}

bool ties_are_broken(const nn::ParameterStore& parameters, const io::ModelFolder& folder, const WeightRules& rules) {
  const NameMatcher matcher(parameters, rules);
  const Plan plan = make_plan(matcher, folder, rules);
  return std::ranges::any_of(plan.duplicates,
                             [&](const auto& pair) { return !same_tensor(folder, pair.first, pair.second); });
}

std::map<std::string, std::string> sources_of(const nn::ParameterStore& parameters, const io::ModelFolder& folder,
                                              const WeightRules& rules) {
  return make_plan(NameMatcher(parameters, rules), folder, rules).source_of;
}

void load_weights(nn::ParameterStore& parameters, const io::ModelFolder& folder, const WeightRules& rules,
                  const LoadOptions& options) {
  load(parameters, folder, rules, options, [](const std::string&) { return false; });
}

std::vector<std::string> load_body(nn::ParameterStore& parameters, const io::ModelFolder& folder,
                                   const WeightRules& rules) {
  const bool has_head = std::ranges::any_of(parameters.named(), [&](const nn::NamedTensor& parameter) {
    return !rules.base_prefix.empty() && parameter.name.starts_with(rules.base_prefix);
  });
  return load(parameters, folder, rules, {}, [&](const std::string& name) {
    return (has_head && !name.starts_with(rules.base_prefix)) || rules.ignored(name);
  });
}

io::NamedView named_view(std::string name, const Tensor& tensor) {
  const Tensor on_host = tensor.to({});
  return {std::move(name), on_host.view(), {}, on_host.body()};
}

std::vector<io::NamedView> named_views(const nn::ParameterStore& parameters) {
  std::vector<io::NamedView> views;
  for (const auto& [name, tensor] : parameters.named()) views.push_back(named_view(name, tensor));
  return views;
}

}  // namespace heed::models
