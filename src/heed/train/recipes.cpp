#include "heed/train/recipes.h"

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

}  // namespace heed::train
