#include "heed/train/recipes.h"

#include <algorithm>
#include <cmath>

#include "heed/base/error.h"

namespace heed::train {
namespace {

struct Row {
  const char* preset;
  double peak;
  int64_t warmup;
  uint32_t batch_tokens;
  int64_t steps, every, snapshot_every;
};

// For base and big the peak is where the paper's schedule has it: (d_model warmup)^-1/2.
constexpr Row kRows[] = {{"tiny", 3e-3, 1500, 12000, 5000, 250, 100},
                         {"small", 1.5e-3, 2000, 12000, 20000, 500, 250},
                         {"base", 7e-4, 4000, 25000, 100000, 1000, 1000},
                         {"big", 5e-4, 4000, 25000, 300000, 1000, 1000},
                         {"fine-tuning", 3e-4, 400, 8000, 2000, 200, 50}};

Recipe recipe_of(const Row& row) {
  Recipe recipe;
  recipe.batch_tokens = row.batch_tokens;
  TrainOptions& o = recipe.train;
  o.schedule.kind = optim::ScheduleKind::kInverseSqrt;
  o.schedule.peak = row.peak;
  o.schedule.warmup = row.warmup;
  o.adam.beta1 = 0.9f;
  o.adam.beta2 = 0.98f;
  o.adam.epsilon = 1e-9f;
  o.adam.decoupled = false;
  o.clip_norm = 1;
  o.max_steps = row.steps;
  o.valid_every = o.save_every = row.every;
  o.snapshot_every = row.snapshot_every;
  return recipe;
}

}  // namespace

Recipe recipe_for(const std::string& preset) {
  for (const Row& row : kRows)
    if (preset == row.preset) return recipe_of(row);
  fail<UsageError>("no recipe for a preset \"{}\"", preset);
}

Recipe fine_tuning_recipe() { return recipe_for("fine-tuning"); }

Recipe epoch_recipe(double peak, uint64_t epochs, uint32_t batch_size) {
  Recipe recipe;
  TrainOptions& o = recipe.train;
  o.schedule.kind = optim::ScheduleKind::kLinear;
  o.schedule.peak = peak;
  o.adam.beta1 = 0.9f;
  o.adam.beta2 = 0.999f;
  o.adam.epsilon = 1e-8f;
  o.adam.decoupled = true;
  o.adam.weight_decay = 0.01f;
  o.clip_norm = 1;
  o.max_steps = 0;
  o.average = 0;
  recipe.label_smoothing = 0;
  recipe.batch_size = batch_size;
  recipe.epochs = epochs;
  recipe.warmup_share = 0.1;
  return recipe;
}

Recipe language_recipe(double peak, uint64_t epochs, uint32_t batch_size) {
  Recipe recipe = epoch_recipe(peak, epochs, batch_size);
  recipe.train.schedule.kind = optim::ScheduleKind::kCosine;
  recipe.train.adam.beta2 = 0.99f;
  recipe.train.adam.weight_decay = 0.1f;
  recipe.warmup_share = 0.05;
  recipe.floor_share = 0.1;
  return recipe;
}

void fit_to_data(TrainOptions& o, const Recipe& recipe, int64_t steps_per_epoch, const Chosen& chosen) {
  if (recipe.epochs == 0) return;
  // Where the rate has fallen to the lowest the training ends, though it may end earlier for other reasons.
  const bool other_end = (o.max_minutes > 0 || o.patience > 0) && !optim::has_end(o.schedule.kind);
  if (o.max_epochs == 0 && o.max_steps == 0 && !other_end) o.max_epochs = recipe.epochs;
  const uint64_t epochs = o.max_epochs > 0 ? o.max_epochs : recipe.epochs;
  if (o.schedule.total == 0) o.schedule.total = static_cast<int64_t>(epochs) * steps_per_epoch;
  if (!chosen.warmup) o.schedule.warmup = std::llround(recipe.warmup_share * static_cast<double>(o.schedule.total));
  // In a short training more often than in each epoch would tell nothing; in a long epoch it does.
  constexpr int64_t kLongest = 1000;
  const int64_t every = std::clamp<int64_t>(steps_per_epoch, 1, kLongest);
  if (!chosen.valid_every) o.valid_every = every;
  if (!chosen.save_every) o.save_every = every;
  if (!chosen.snapshot_every) o.snapshot_every = std::max<int64_t>(1, every / 2);
}

}  // namespace heed::train
