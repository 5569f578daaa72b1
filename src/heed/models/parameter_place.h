// Where in a model a parameter stands, told by its name. Families name their layers alike: a word for layers, a number
// ("encoder.layer.3.", "model.layers.3.", "transformer.h.3.", "decoder.block.3.").
#pragma once

#include <string>
#include <vector>

#include "heed/nn/parameters.h"

namespace heed::models {

// The layer, from 0; of an encoder-decoder within its half. kEmbeddings: what comes before the layers; kTop: what comes
// behind them, a head and the last norm.
inline constexpr int kEmbeddings = -1, kTop = 1 << 30;
int layer_of(const std::string& parameter);

// One more than the highest layer.
int layer_count(const nn::ParameterStore& parameters);

// The weights of the linear maps within layers.
std::vector<std::string> layer_matrices(const nn::ParameterStore& parameters);

// How far fine-tuning reaches, and how fast.
struct FineTuning {
  // Frozen: nothing, the embeddings, or the embeddings and so many layers.
  bool freeze_embeddings = false;
  int freeze_layers = 0;
  // Each layer learns at this share of the rate of the layer above it (Howard and Ruder 2018, section 3.2).
  double layer_decay = 1;

  bool changes_anything() const { return freeze_embeddings || freeze_layers > 0 || layer_decay != 1; }
};

// Sets the parameters' rates. Throws UsageError if there are fewer layers.
void set_rates(nn::ParameterStore& parameters, const FineTuning& tuning);

}  // namespace heed::models
