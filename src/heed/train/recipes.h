// How the named sizes of tasks/presets.h are trained if nothing else is asked for.
#pragma once

#include <string>

#include "heed/train/options.h"

namespace heed::train {

struct Recipe {
  TrainOptions train;
  uint32_t batch_tokens = 12000;  // target tokens
  float label_smoothing = 0.1f;
};

// Of a new model. Throws UsageError for an unknown preset. "tiny" is for corpora like Multi30k (30,000 pairs), "base"
// and "big" follow section 5 of Vaswani et al. 2017.
Recipe recipe_for(const std::string& preset);
// Of a model that was trained before: lower rates, fewer steps.
Recipe fine_tuning_recipe();

}  // namespace heed::train
