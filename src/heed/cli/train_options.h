// The options of the training loop, the same for all `heed train …` commands. What is not given comes from a recipe.
#pragma once

#include <optional>
#include <string>

#include "heed/cli/command.h"
#include "heed/train/recipes.h"

namespace heed::cli {

// --dtype auto|f32|bf16, what it says for this machine, and that in words: "bf16 (AMX)".
void add_dtype(Options& o, std::string& dtype);
DType product_dtype(const std::string& name, Device device = {});
std::string product_dtype_text(DType dtype, Device device = {});

class TrainingOptions {
 public:
  // Adds the options to the command, with --threads, --seed and --json. The object must outlive command.parse().
  void add_to(Command& command);
  // `d_model` is for the paper's schedule.
  train::TrainOptions resolve(Command& command, const train::Recipe& recipe, int64_t d_model) const;
  // Which of the counts of steps the user gave.
  train::Chosen chosen() const {
    return {warmup_.has_value(), valid_every_.has_value(), save_every_.has_value(), snapshot_every_.has_value()};
  }
  const std::filesystem::path& output() const { return output_; }
  uint64_t memory_limit() const { return memory_limit_.empty() ? 0 : parse_size("memory-limit", memory_limit_); }

 private:
  void add_optimizer(Options& o);
  void add_course(Options& o);

  std::filesystem::path output_;
  bool resume_ = false, recompute_ = false, shuffle_ = true, shard_optimizer_ = false;
  std::optional<int64_t> max_steps_, warmup_, valid_every_, save_every_, snapshot_every_;
  uint64_t max_epochs_ = 0;
  double max_minutes_ = 0;
  int patience_ = 0, accumulate_ = 1, keep_last_ = 2, keep_best_ = 1;
  int64_t log_every_ = 10;
  std::optional<int> average_;
  std::optional<double> learning_rate_, min_learning_rate_, clip_norm_;
  double ema_ = 0;
  bool decay_all_ = false;
  std::optional<std::string> schedule_, optimizer_;
  float momentum_ = optim::kMuonMomentum;
  std::optional<float> beta1_, beta2_, epsilon_, weight_decay_;
  std::string dtype_ = "auto", memory_limit_;
};

}  // namespace heed::cli
