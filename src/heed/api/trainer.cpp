#include "heed/trainer.h"

#include <exception>
#include <utility>

#include "heed/api/borrowed_threads.h"
#include "heed/api/guard.h"
#include "heed/base/error.h"
#include "heed/base/threads.h"
#include "heed/tasks/presets.h"
#include "heed/tasks/translation_training.h"
#include "heed/train/output_folder.h"
#include "heed/train/recipes.h"
#include "heed/train/trainer.h"

namespace heed {
namespace {

TrainingValidation to_public(const train::ValidationReport& r) { return {r.step, r.weights, r.result.metrics, r.best}; }

TrainingEnd to_public(train::EndReason reason) {
  switch (reason) {
    case train::EndReason::kMaxSteps: return TrainingEnd::kMaxSteps;
    case train::EndReason::kMaxEpochs: return TrainingEnd::kMaxEpochs;
    case train::EndReason::kMaxMinutes: return TrainingEnd::kMaxMinutes;
    case train::EndReason::kPatience: return TrainingEnd::kPatience;
    case train::EndReason::kStopped: break;
  }
  return TrainingEnd::kStopped;
}

// Calls the hooks. What they throw is kept until the training has saved its state.
class HookObserver final : public train::TrainObserver {
 public:
  explicit HookObserver(const TrainingHooks& hooks) : hooks_(hooks) {}

  void stepped(const train::StepReport& r) override {
    if (!hooks_.stepped) return;
    keep_error([&] {
      hooks_.stepped(
          {r.step, r.epoch, r.progress, r.loss, r.learning_rate, r.gradient_norm, r.targets, r.seconds, r.skipped});
    });
  }
  void validated(const train::ValidationReport& r) override {
    if (hooks_.validated) keep_error([&] { hooks_.validated(to_public(r)); });
  }
  bool stop() {
    bool asked = false;
    if (hooks_.stop) keep_error([&] { asked = hooks_.stop(); });
    return asked || error_;
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  template <class Function>
  void keep_error(Function&& function) {
    if (error_) return;
    try {
      function();
    } catch (...) {
      error_ = std::current_exception();
    }
  }

  const TrainingHooks& hooks_;
  std::exception_ptr error_;
};

void validate(const TrainingOptions& o) {
  check<UsageError>(!o.source.empty() && !o.target.empty(), "source and target are both needed");
  check<UsageError>(o.valid_source.empty() == o.valid_target.empty(), "valid_source and valid_target belong together");
  check<UsageError>(!o.output.empty(), "output is not set");
  check<UsageError>(o.init.empty() || !(o.vocab_size || !o.source_language.empty() || !o.target_language.empty()),
                    "the model in init has its vocabulary and languages: they cannot be chosen");
  check<UsageError>(!o.vocab_size || *o.vocab_size >= 8, "vocab_size is {}; at least 8 is needed",
                    o.vocab_size.value_or(0));
  check<UsageError>(!o.dropout || (*o.dropout >= 0 && *o.dropout < 1), "dropout is {}; it lies in [0, 1)",
                    o.dropout.value_or(0.0f));
  check<UsageError>(!o.batch_tokens || *o.batch_tokens > 0, "batch_tokens is {}; at least 1 is needed",
                    o.batch_tokens.value_or(0));
  check<UsageError>(o.threads >= 0, "threads is {}", o.threads);
}

train::TrainOptions course_of(const TrainingOptions& o, const train::Recipe& recipe) {
  train::TrainOptions t = recipe.train;
  t.output = o.output;
  t.resume = o.resume;
  t.seed = o.seed;
  t.max_epochs = o.max_epochs;
  t.max_minutes = o.max_minutes;
  t.patience = o.patience;
  if (o.max_steps != 0 || o.max_epochs > 0 || o.max_minutes > 0) t.max_steps = o.max_steps;
  t.schedule.peak = o.learning_rate.value_or(t.schedule.peak);
  t.schedule.warmup = o.warmup.value_or(t.schedule.warmup);
  t.valid_every = o.valid_every.value_or(t.valid_every);
  t.save_every = o.save_every.value_or(t.save_every);
  t.validate();
  return t;
}

tasks::TranslationTrainingOptions task_of(const TrainingOptions& o, const train::Recipe& recipe) {
  tasks::TranslationTrainingOptions t;
  t.train.source = o.source.string();
  t.train.target = o.target.string();
  t.valid.source = o.valid_source.string();
  t.valid.target = o.valid_target.string();
  t.tokenizer.vocab_size = o.vocab_size.value_or(t.tokenizer.vocab_size);
  t.tokenizer.exact_size = o.vocab_size.has_value();
  t.tokenizer.source_language = o.source_language;
  t.tokenizer.target_language = o.target_language;
  t.structure = tasks::preset_structure(o.preset);
  t.structure.dropout = o.dropout.value_or(t.structure.dropout);
  t.init = o.init;
  t.dropout = o.dropout;
  if (o.resume && train::OutputFolder::is_resumable(o.output)) t.resume = o.output;
  t.seed = o.seed;
  t.threads = thread_count();
  t.batch_tokens = o.batch_tokens ? static_cast<uint32_t>(*o.batch_tokens) : recipe.batch_tokens;
  t.label_smoothing = o.label_smoothing.value_or(recipe.label_smoothing);
  return t;
}

train::TrainSummary run(const TrainingOptions& options, HookObserver& observer) {
  validate(options);
  const api::BorrowedThreads threads(options.threads);
  const train::Recipe recipe = options.init.empty() ? train::recipe_for(options.preset) : train::fine_tuning_recipe();
  const train::TrainOptions course = course_of(options, recipe);
  { const train::OutputFolder usable(course.output, course.resume); }  // or throws before the text is read
  tasks::TranslationTraining task(task_of(options, recipe));
  return train::train(task, course, observer, [&] { return observer.stop(); });
}

}  // namespace

TrainingResult train_translation(const TrainingOptions& options, const TrainingHooks& hooks) {
  HookObserver observer(hooks);
  const train::TrainSummary summary = api::guarded([&] { return run(options, observer); });
  observer.rethrow();
  TrainingResult result;
  result.end = to_public(summary.reason);
  result.steps = summary.steps;
  result.skipped_steps = summary.skipped;
  result.seconds = summary.seconds;
  if (summary.best) result.best = to_public(*summary.best);
  result.saved = summary.saved;
  return result;
}

}  // namespace heed
