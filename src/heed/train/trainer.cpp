#include "heed/train/trainer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <span>

#include "heed/base/error.h"
#include "heed/base/log.h"
#include "heed/base/threads.h"
#include "heed/tensor/backends.h"
#include "heed/train/output_folder.h"
#include "heed/train/records.h"
#include "heed/train/saved_training.h"
#include "heed/train/snapshots.h"
#include "heed/train/state.h"
#include "heed/train/stepper.h"

namespace heed::train {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Replaces the parameters by others while it lives.
class BorrowedValues {
 public:
  BorrowedValues(nn::ParameterStore& parameters, const Tensor& values)
      : parameters_(parameters), own_(parameters.values().clone()) {
    put(values);
  }
  BorrowedValues(const BorrowedValues&) = delete;
  BorrowedValues& operator=(const BorrowedValues&) = delete;
  ~BorrowedValues() { put(own_); }

 private:
  void put(const Tensor& values) {
    backend(values.device()).copy(values.view(), parameters_.values().view());
    parameters_.values_changed();
  }

  nn::ParameterStore& parameters_;
  Tensor own_;
};

class Trainer {
 public:
  Trainer(tasks::TrainingTask& task, const TrainOptions& options, TrainObserver& observer, const tasks::StopFlag& stop)
      : task_(task),
        options_(options),
        observer_(observer),
        stop_(stop),
        together_(options.together),
        folder_(options.output, options.resume, is_first()),
        snapshots_(folder_.snapshots()),
        stepper_(task, options_) {
    if (!options_.shuffle) task_.batches().keep_order();
  }

  TrainSummary run();

 private:
  bool is_first() const { return !together_ || together_->is_first(); }
  void begin();
  void share_start();
  std::optional<EndReason> end() const;
  std::optional<EndReason> agreed_end() const;
  std::optional<tasks::ValidationResult> agreed_validation();
  double progress() const;
  void take_step();
  std::vector<tasks::StreamedBatch> take_batches();
  void note_step(const StepOutcome& outcome, const std::vector<tasks::StreamedBatch>& batches, double seconds);
  void note_bad_step(const std::vector<tasks::StreamedBatch>& batches);
  void snapshot_if_due();
  bool validate_if_due();
  bool validate(const std::string& weights, bool counts);
  bool validate_current(bool counts);
  bool keep_model(const std::string& weights);
  void try_average();
  void conclude();
  bool agreed_save(bool wanted) const;
  bool save();
  void tick();
  bool due(int64_t every) const { return every > 0 && state_.step > 0 && state_.step % every == 0; }
  Json identity() const;
  TrainSummary summary(EndReason reason, bool saved) const;

  tasks::TrainingTask& task_;
  const TrainOptions options_;
  TrainObserver& observer_;
  const tasks::StopFlag& stop_;
  dist::Communicator* const together_;  // nullptr: this process alone
  bool concluding_ = false;             // what follows the last step is done by the first process alone
  OutputFolder folder_;
  Snapshots snapshots_;
  Stepper stepper_;
  TrainState state_;
  std::unique_ptr<Records> records_;
  std::unique_ptr<tasks::BatchStream> stream_;
  std::vector<std::string> bad_batches_;  // of the bad steps in a row, "epoch:batch"
  int64_t saved_ = -1;                    // the step of the last checkpoint of this run
  std::deque<int64_t> oldest_snapshots_;  // that the last checkpoints need
  Clock::time_point ticked_ = Clock::now();
};

Json Trainer::identity() const {
  Json json = options_.identity();
  json.update(task_.identity());
  return json;
}

void Trainer::begin() {
  StartReport report;
  if (const auto checkpoint = folder_.latest()) {
    if (is_first()) folder_.go_on(identity());
    state_ = restore_training(*checkpoint, task_.parameters(), stepper_);
    saved_ = state_.step;
  } else {
    report.nothing_to_resume = options_.resume;
    if (is_first()) folder_.begin(task_.content(), identity());
  }
  if (together_) share_start();
  if (!state_.snapshots.empty()) oldest_snapshots_.push_back(state_.snapshots.front());
  if (is_first()) records_ = std::make_unique<Records>(folder_.metrics(), folder_.tensorboard(), state_.step);
  constexpr size_t kAhead = 3;  // beside those of the step at hand
  stream_ = task_.batches().stream(state_.next, static_cast<size_t>(options_.accumulate) + kAhead);
  report.step = state_.step;
  report.parameters = task_.parameters().count();
  report.batches = task_.batches().count(state_.next.epoch);
  observer_.started(report);
}

// All processes begin with the same numbers, or not at all.
void Trainer::share_start() {
  const std::string step = together_->broadcast_text(std::to_string(state_.step));
  check<UsageError>(step == std::to_string(state_.step),
                    "process {} goes on from step {}, the first one from step {}: do they see the same folder?",
                    together_->rank(), state_.step, step);
  stepper_.take_first_parameters();
}

// The first process's clock, signals and scores decide.
std::optional<EndReason> Trainer::agreed_end() const {
  std::optional<EndReason> reason = is_first() ? end() : std::nullopt;
  if (!together_) return reason;
  constexpr uint8_t kNone = 0xff;
  uint8_t code = reason ? static_cast<uint8_t>(*reason) : kNone;
  together_->broadcast(std::as_writable_bytes(std::span(&code, 1)), 0);
  if (code == kNone) return std::nullopt;
  return static_cast<EndReason>(code);
}

// The first process validates while the others wait.
std::optional<tasks::ValidationResult> Trainer::agreed_validation() {
  std::optional<tasks::ValidationResult> result;
  if (is_first()) result = task_.validate(stop_);
  if (together_ && !concluding_) together_->barrier();
  return result;
}

std::optional<EndReason> Trainer::end() const {
  if (stop_()) return EndReason::kStopped;
  if (options_.max_steps > 0 && state_.step >= options_.max_steps) return EndReason::kMaxSteps;
  if (options_.max_epochs > 0 && state_.next.epoch >= options_.max_epochs) return EndReason::kMaxEpochs;
  if (options_.max_minutes > 0 && state_.seconds >= options_.max_minutes * 60) return EndReason::kMaxMinutes;
  if (options_.patience > 0 && state_.worse_in_a_row >= options_.patience) return EndReason::kPatience;
  return std::nullopt;
}

double Trainer::progress() const {
  double most = 0;
  const auto consider = [&](double done, double limit) {
    if (limit > 0) most = std::max(most, std::min(1.0, done / limit));
  };
  consider(static_cast<double>(state_.step), static_cast<double>(options_.max_steps));
  consider(state_.seconds, options_.max_minutes * 60);
  if (options_.max_epochs > 0) {
    const auto batches = static_cast<double>(task_.batches().count(state_.next.epoch));
    consider(static_cast<double>(state_.next.epoch) + static_cast<double>(state_.next.batch) / batches,
             static_cast<double>(options_.max_epochs));
  }
  return most;
}

void Trainer::tick() {
  state_.seconds += seconds_since(ticked_);
  ticked_ = Clock::now();
}

std::vector<tasks::StreamedBatch> Trainer::take_batches() {
  std::vector<tasks::StreamedBatch> batches;
  for (int i = 0; i < options_.accumulate; ++i) {
    batches.push_back(stream_->next());
    const bool last_of_all = batches.back().last_in_epoch && options_.max_epochs > 0 &&
                             batches.back().cursor.epoch + 1 >= options_.max_epochs;
    if (last_of_all) break;
  }
  return batches;
}

void Trainer::take_step() {
  const auto start = Clock::now();
  const std::vector<tasks::StreamedBatch> batches = take_batches();
  const StepOutcome outcome = stepper_.step(state_.step + 1, batches);
  ++state_.step;
  const auto& last = batches.back();
  state_.next = last.last_in_epoch ? data::Cursor{last.cursor.epoch + 1, 0}
                                   : data::Cursor{last.cursor.epoch, last.cursor.batch + 1};
  note_step(outcome, batches, seconds_since(start));
}

void Trainer::note_step(const StepOutcome& outcome, const std::vector<tasks::StreamedBatch>& batches, double seconds) {
  tick();
  state_.updates = stepper_.optimizer().steps();
  state_.step_seconds += seconds;
  state_.logged_seconds += seconds;
  if (outcome.finite) {
    state_.bad_in_a_row = 0;
    bad_batches_.clear();
    state_.targets += outcome.targets;
    state_.logged_loss += outcome.loss_sum;
    state_.logged_targets += outcome.targets;
  }
  const double rate = stepper_.rate(state_.step);
  const double loss = outcome.loss_sum / static_cast<double>(std::max<int64_t>(outcome.targets, 1));
  observer_.stepped({state_.step, batches.back().cursor.epoch, progress(), loss, rate, outcome.gradient_norm,
                     outcome.targets, seconds, !outcome.finite});
  if (due(options_.log_every) && state_.logged_targets > 0 && records_) {
    const auto targets = static_cast<double>(state_.logged_targets);
    records_->step({state_.step, batches.back().cursor.epoch, state_.logged_loss / targets, rate, outcome.gradient_norm,
                    targets / state_.logged_seconds, state_.skipped, state_.seconds, state_.targets});
    state_.logged_loss = state_.logged_seconds = 0;
    state_.logged_targets = 0;
  }
  if (!outcome.finite) note_bad_step(batches);
}

void Trainer::note_bad_step(const std::vector<tasks::StreamedBatch>& batches) {
  ++state_.skipped;
  ++state_.bad_in_a_row;
  for (const auto& [cursor, last, batch] : batches)
    bad_batches_.push_back(fmt::format("{}:{}", cursor.epoch, cursor.batch));
  const auto& last = batches.back();
  const std::string where = fmt::format("step {} (epoch {}, batch {}: {})", state_.step, last.cursor.epoch,
                                        last.cursor.batch, last.batch->describe());
  log().warn("{}: the loss or its gradient is not finite; the step is skipped", where);
  if (state_.bad_in_a_row < options_.max_bad_steps) return;
  const auto good = folder_.latest();
  fail<DivergedError>(
      "{} steps in a row gave no finite loss and gradient, up to {}; their batches (epoch:batch) were {}; the last "
      "good "
      "checkpoint is {}",
      state_.bad_in_a_row, where, fmt::join(bad_batches_, " "), good ? good->path().string() : "none");
}

void Trainer::snapshot_if_due() {
  if (options_.average == 0 || !due(options_.snapshot_every) || !is_first()) return;
  if (!state_.snapshots.empty() && state_.snapshots.back() == state_.step) return;
  try {
    snapshots_.write(state_.step, task_.parameters().values());
  } catch (const IoError& error) {
    log().error("no snapshot at step {}: {}; the training goes on", state_.step, error.what());
    return;
  }
  state_.snapshots.push_back(state_.step);
  if (state_.snapshots.size() > static_cast<size_t>(options_.average)) state_.snapshots.erase(state_.snapshots.begin());
}

bool Trainer::validate_if_due() {
  if (!task_.has_validation() || !due(options_.valid_every) || state_.validated == state_.step) return false;
  return validate_current(true);
}

bool Trainer::validate_current(bool counts) {
  if (!stepper_.ema().defined()) return validate("current", counts);
  const BorrowedValues borrowed(task_.parameters(), stepper_.ema());
  return validate("ema", counts);
}

// True if the model is the best so far. `counts`: towards early stopping.
bool Trainer::validate(const std::string& weights, bool counts) {
  const auto start = Clock::now();
  const auto result = agreed_validation();
  tick();
  if (!result) return false;
  // A model whose loss is not finite is no model, whatever its score.
  const bool sound = std::isfinite(result->score) && std::ranges::none_of(result->metrics, [](const auto& metric) {
                       return metric.first == "loss" && !std::isfinite(metric.second);
                     });
  if (counts) {
    state_.validated = state_.step;
    state_.validated_score = result->score;
    const bool better = sound && (!state_.best_score || result->score > *state_.best_score);
    state_.worse_in_a_row = better ? 0 : state_.worse_in_a_row + 1;
    if (better) state_.best_score = result->score;
  }
  const bool best = sound && (!state_.model_score || result->score > *state_.model_score);
  if (best && keep_model(weights)) {
    state_.model_score = result->score;
    state_.model_metrics = result->metrics;
  }
  observer_.validated({state_.step, weights, *result, best, seconds_since(start)});
  records_->validation(state_.step, weights, *result, best, state_.seconds);
  return best;
}

// Makes the parameters as they are the folder's model.
bool Trainer::keep_model(const std::string& weights) {
  try {
    folder_.replace_weights(task_.content());
  } catch (const IoError& error) {
    log().error("the model of step {} could not be written: {}; the training goes on", state_.step, error.what());
    return false;
  }
  state_.model_step = state_.step;
  state_.model_weights = weights;
  return true;
}

// The first process says; the others need to know where their moments are wanted.
bool Trainer::agreed_save(bool wanted) const {
  if (!together_ || !options_.shard_optimizer) return wanted;
  auto byte = static_cast<uint8_t>(wanted);
  together_->broadcast(std::as_writable_bytes(std::span(&byte, 1)), 0);
  return byte != 0;
}

bool Trainer::save() {
  const Stepper::Moments moments = stepper_.moments();
  if (!is_first()) {
    saved_ = state_.step;
    return true;
  }
  // Without any validation the latest model is the best known.
  if (!state_.model_score && state_.model_step != state_.step) {
    std::optional<BorrowedValues> borrowed;
    if (stepper_.ema().defined()) borrowed.emplace(task_.parameters(), stepper_.ema());
    keep_model(stepper_.ema().defined() ? "ema" : "current");
  }
  try {
    const fs::path path = save_training(folder_.checkpoints(), state_, task_.parameters(), stepper_, moments);
    saved_ = state_.step;
    io::prune_checkpoints(folder_.checkpoints(), options_.keep_last, options_.keep_best);
    oldest_snapshots_.push_back(state_.snapshots.empty() ? state_.step : state_.snapshots.front());
    if (oldest_snapshots_.size() > static_cast<size_t>(options_.keep_last)) oldest_snapshots_.pop_front();
    snapshots_.prune(oldest_snapshots_.front());
    observer_.saved(state_.step, path);
    return true;
  } catch (const IoError& error) {
    log().error("NO CHECKPOINT was written at step {}: {}; the training goes on, earlier checkpoints are untouched",
                state_.step, error.what());
    return false;
  }
}

void Trainer::try_average() {
  if (state_.snapshots.size() < 2) return;
  const Tensor mean = snapshots_.mean(state_.snapshots, task_.parameters().values().shape());
  if (!mean.defined()) return;
  const BorrowedValues borrowed(task_.parameters(), mean.to(options_.device));
  if (task_.has_validation()) validate("average", false);
  else keep_model("average");
}

TrainSummary Trainer::summary(EndReason reason, bool saved) const {
  TrainSummary s;
  s.reason = reason;
  s.steps = state_.step;
  s.skipped = state_.skipped;
  s.seconds = state_.seconds;
  s.step_seconds = state_.step_seconds;
  s.targets = state_.targets;
  s.model = folder_.path();
  s.saved = saved;
  if (state_.model_score)
    s.best = {state_.model_step, state_.model_weights, {state_.model_metrics, *state_.model_score}, true, 0};
  return s;
}

// What comes after the last step: a last validation, and the average of the snapshots.
void Trainer::conclude() {
  concluding_ = true;
  if (!is_first() || state_.finished == state_.step) return;
  if (task_.has_validation() && state_.validated != state_.step) validate_current(false);
  try_average();
  if (stop_()) return;  // a resumed run shall do it again
  state_.finished = state_.step;
  saved_ = -1;
}

TrainSummary Trainer::run() {
  begin();
  bool saved = true;
  std::optional<EndReason> reason;
  for (;;) {
    // First of all: a stop may have kept the step that is resumed from being validated.
    const bool best = validate_if_due();
    if ((reason = agreed_end())) break;
    const bool due_now = due(options_.save_every) || (best && options_.keep_best > 0);
    if (agreed_save(saved_ != state_.step && due_now)) saved = save();
    take_step();
    snapshot_if_due();
  }
  if (*reason != EndReason::kStopped) conclude();
  if (agreed_save(saved_ != state_.step)) saved = save();
  return summary(*reason, saved);
}

}  // namespace

TrainSummary train(tasks::TrainingTask& task, const TrainOptions& options, TrainObserver& observer,
                   const tasks::StopFlag& stop) {
  options.validate();
  check<UsageError>(options.patience == 0 || task.has_validation(),
                    "--patience counts validations, for which no data is held out");
  task.parameters().move_to(options.device);
  return Trainer(task, options, observer, stop).run();
}

}  // namespace heed::train
