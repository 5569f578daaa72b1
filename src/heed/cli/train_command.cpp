#include "heed/cli/train_command.h"

#include <csignal>

#include "heed/base/log.h"
#include "heed/cli/signals.h"
#include "heed/cli/train_progress.h"
#include "heed/train/output_folder.h"
#include "heed/train/trainer.h"

namespace heed::cli {
namespace {

// What holds, defaults included, so that nobody has to guess.
std::string course_text(const train::TrainOptions& o) {
  std::string text = fmt::format("{}, rate {:g} ({}), warm-up {} steps", o.adam.decoupled ? "adamw" : "adam",
                                 o.schedule.peak, optim::name_of(o.schedule.kind), o.schedule.warmup);
  if (o.adam.weight_decay > 0) text += fmt::format(", weight decay {:g}", o.adam.weight_decay);
  if (o.clip_norm > 0) text += fmt::format(", gradient at most {:g}", o.clip_norm);
  if (o.max_epochs > 0) text += fmt::format("; {} epochs", o.max_epochs);
  if (o.max_steps > 0) text += fmt::format("; {} steps", o.max_steps);
  if (o.max_minutes > 0) text += fmt::format("; {:g} minutes", o.max_minutes);
  return text + fmt::format("; seed {}", o.seed);
}

}  // namespace

int run_training(Command& command, const TrainingOptions& training, const train::Recipe& recipe, int64_t d_model,
                 const std::function<MadeTask(const std::filesystem::path& resume)>& make) {
  // A file-size limit shall be an error of the write, like a full disk, and no death.
  std::signal(SIGXFSZ, SIG_IGN);
  train::TrainOptions options = training.resolve(command, recipe, d_model);
  if (recipe.epochs == 0) options.validate();                            // else its steps follow from the data
  { const train::OutputFolder usable(options.output, options.resume); }  // or throws before anything is read
  const bool going_on = options.resume && train::OutputFolder::is_resumable(options.output);
  const MadeTask made = make(going_on ? options.output : std::filesystem::path());
  const auto batches = static_cast<int64_t>(made.task->batches(0));
  fit_to_data(options, recipe, (batches + options.accumulate - 1) / options.accumulate, training.chosen());
  if (!made.report.empty()) log().info("{}", made.report);
  log().info("{}", course_text(options));
  TrainProgress progress(command, options, made.unit);
  install_stop_signals();
  const train::TrainSummary summary = train::train(*made.task, options, progress, [] { return stop_requested(); });
  progress.finish(summary);
  if (command.common().json) command.output().line(summary_json(summary).dump());
  return kOk;
}

}  // namespace heed::cli
