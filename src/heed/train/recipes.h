// How models are trained if nothing else is asked for: the named sizes of tasks/presets.h, and the tasks on examples.
#pragma once

#include <string>

#include "heed/train/options.h"

namespace heed::train {

struct Recipe {
  TrainOptions train;
  uint32_t batch_tokens = 12000;  // target tokens
  float label_smoothing = 0.1f;

  // Of tasks on examples. Where the number of steps follows from the data, train's counts of steps are set by
  // fit_to_data().
  uint32_t batch_size = 32;
  uint64_t epochs = 0;      // 0: train.max_steps is the end
  double warmup_share = 0;  // of all steps
  double floor_share = 0;   // where cosine and linear rates end, of the highest rate
};

// Fills in what depends on how many steps an epoch has: validation and checkpoints after each epoch, the warm-up, and
// where the rate ends to fall. What the user has chosen (not 0, or `chosen`) stays.
struct Chosen {
  bool warmup = false, valid_every = false, save_every = false, snapshot_every = false;
};
void fit_to_data(TrainOptions& options, const Recipe& recipe, int64_t steps_per_epoch, const Chosen& chosen);

// Of a new model. Throws UsageError for an unknown preset. "tiny" is for corpora like Multi30k (30,000 pairs), "base"
// and "big" follow section 5 of Vaswani et al. 2017.
Recipe recipe_for(const std::string& preset);
// Of a model that was trained before: lower rates, fewer steps.
Recipe fine_tuning_recipe();

// AdamW with a linear rise and fall, `epochs` long; that of `peak` is the highest rate.
Recipe epoch_recipe(double peak, uint64_t epochs, uint32_t batch_size);

// Of language models of running text: AdamW, the rate rises within the first 20th and falls as a cosine to a tenth.
Recipe language_recipe(double peak, uint64_t epochs, uint32_t batch_size);

}  // namespace heed::train
