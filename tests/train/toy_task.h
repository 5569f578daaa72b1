// A task for tests of the training loop: copying sequences of a 30-word vocabulary, with a Transformer of two layers
// that learns it within seconds. Faults can be put into it.
#pragma once

#include <set>

#include "heed/models/marian.h"
#include "heed/tasks/training_task.h"
#include "heed/train/options.h"
#include "heed/train/trainer.h"

namespace heed::testing {

struct ToyOptions {
  uint64_t seed = 1;
  uint64_t batches = 7;  // of an epoch
  int rows = 16;         // of a batch
  float dropout = 0.1f;
  bool validation = true;
};

class ToyTask : public tasks::TrainingTask {
 public:
  explicit ToyTask(const ToyOptions& options = {});

  nn::ParameterStore& parameters() override { return model_.parameters(); }
  std::string report() const override { return "copies"; }
  tasks::TrainingBatches& batches() const override { return *batches_; }
  tasks::BatchLoss loss(const tasks::TrainingBatch& batch, const nn::Pass& pass, double divisor) const override;
  bool has_validation() const override { return options_.validation; }
  std::optional<tasks::ValidationResult> validate(const tasks::StopFlag& stop) override;
  io::ModelContent content() override;
  Json identity() const override { return {{"rows", options_.rows}, {"toy-seed", options_.seed}}; }

  // Batch k of an epoch, a pure function of seed, epoch, k and the number of rows.
  std::unique_ptr<tasks::TrainingBatch> prepare(uint64_t epoch, uint64_t k) const;
  const ToyOptions& options() const { return options_; }
  void set_rows(int rows) { options_.rows = rows; }
  // The share of validation tokens that are predicted right.
  double accuracy();

  std::set<std::pair<uint64_t, uint64_t>> nan_loss, nan_gradient;  // batches (epoch, k) that give one
  bool always_nan = false;
  bool nan_validation = false;                // the loss of validations, whatever their score
  std::optional<std::vector<double>> scores;  // what validations return in turn, for tests of choosing
  int validations = 0;

 private:
  ToyOptions options_;
  models::MarianModel model_;
  std::unique_ptr<tasks::TrainingBatches> batches_;
};

// A batch's rows [begin, end) alone.
std::unique_ptr<tasks::TrainingBatch> toy_rows(const tasks::TrainingBatch& batch, int begin, int end);

// Options under which the toy learns; output is still to be set.
train::TrainOptions toy_training(int64_t steps);

// Keeps all reports.
struct Recorder : train::TrainObserver {
  std::vector<train::StepReport> steps;
  std::vector<train::ValidationReport> validations;
  std::vector<int64_t> checkpoints;
  std::optional<train::StartReport> start;
  std::function<void(const train::StepReport&)> on_step;

  void started(const train::StartReport& report) override { start = report; }
  void stepped(const train::StepReport& report) override {
    steps.push_back(report);
    if (on_step) on_step(report);
  }
  void validated(const train::ValidationReport& report) override { validations.push_back(report); }
  void saved(int64_t step, const std::filesystem::path& /*checkpoint*/) override { checkpoints.push_back(step); }

  std::vector<double> losses() const;
};

inline bool never() { return false; }

}  // namespace heed::testing
