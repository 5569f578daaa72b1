#include "heed/models/parameter_place.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <sstream>

#include "heed/base/error.h"

namespace heed::models {
namespace {

constexpr std::array kWordsForLayers{"layer", "layers", "h", "block"};
constexpr std::array kWordsForEmbeddings{"shared", "wte", "wpe"};

std::vector<std::string> parts_of(const std::string& name) {
  std::vector<std::string> parts;
  std::istringstream stream(name);
  for (std::string part; std::getline(stream, part, '.');) parts.push_back(part);
  return parts;
}

bool is_one_of(const auto& words, const std::string& part) { return std::ranges::find(words, part) != words.end(); }

}  // namespace

int layer_of(const std::string& parameter) {
  const std::vector<std::string> parts = parts_of(parameter);
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    if (!is_one_of(kWordsForLayers, parts[i])) continue;
    int layer = 0;
    const std::string& number = parts[i + 1];
    const auto [end, code] = std::from_chars(number.data(), number.data() + number.size(), layer);
    if (code == std::errc() && end == number.data() + number.size() && layer >= 0) return layer;
  }
  const bool embeds = std::ranges::any_of(parts, [](const std::string& part) {
    return part.find("embed") != std::string::npos || is_one_of(kWordsForEmbeddings, part);
  });
  return embeds ? kEmbeddings : kTop;
}

int layer_count(const nn::ParameterStore& parameters) {
  int count = 0;
  for (const auto& [name, tensor] : parameters.named())
    if (const int layer = layer_of(name); layer != kTop) count = std::max(count, layer + 1);
  return count;
}

std::vector<std::string> layer_matrices(const nn::ParameterStore& parameters) {
  std::vector<std::string> names;
  for (const nn::LinearMap& map : parameters.linear_maps())
    if (const int layer = layer_of(map.name); layer != kEmbeddings && layer != kTop)
      names.push_back(map.name + ".weight");
  return names;
}

void set_rates(nn::ParameterStore& parameters, const FineTuning& tuning) {
  const int layers = layer_count(parameters);
  check<UsageError>(tuning.freeze_layers <= layers, "--freeze {}: the model has {} layers", tuning.freeze_layers,
                    layers);
  parameters.set_rates([&](const std::string& name) {
    const int layer = std::min(layer_of(name), layers);
    const bool frozen =
        layer == kEmbeddings ? tuning.freeze_embeddings || tuning.freeze_layers > 0 : layer < tuning.freeze_layers;
    return frozen ? 0.0 : std::pow(tuning.layer_decay, layers - layer);
  });
}

}  // namespace heed::models
