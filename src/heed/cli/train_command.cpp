#include "heed/cli/train_command.h"

#include <csignal>

#include "heed/base/error.h"
#include "heed/base/log.h"
#include "heed/cli/signals.h"
#include "heed/cli/train_progress.h"
#include "heed/data/share.h"
#include "heed/dist/communicator.h"
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

// Trains as the process that `together` says; what it throws ends the others too.
int train_together(dist::Communicator& together, Command& command, const TrainingOptions& training,
                   const train::Recipe& recipe, int64_t d_model, const MakeTask& make) {
  train::TrainOptions options = training.resolve(command, recipe, d_model);
  if (together.world() > 1) options.together = &together;
  if (recipe.epochs == 0) options.validate();  // else its steps follow from the data
  // Or throws before anything is read.
  { const train::OutputFolder usable(options.output, options.resume, together.is_first()); }
  together.barrier();
  const bool going_on = options.resume && train::OutputFolder::is_resumable(options.output);
  const MadeTask made = make(going_on ? options.output : std::filesystem::path());
  const auto batches = static_cast<int64_t>(made.task->batches(0));
  fit_to_data(options, recipe, (batches + options.accumulate - 1) / options.accumulate, training.chosen());
  install_stop_signals();
  if (!together.is_first()) {
    train::TrainObserver silent;
    train::train(*made.task, options, silent, [] { return stop_requested(); });
    return kOk;
  }
  if (together.world() > 1) log().info("{} processes, each with its share of every batch", together.world());
  if (!made.report.empty()) log().info("{}", made.report);
  log().info("{}", course_text(options));
  TrainProgress progress(command, options, made.unit);
  const train::TrainSummary summary = train::train(*made.task, options, progress, [] { return stop_requested(); });
  progress.finish(summary);
  if (command.common().json) command.output().line(summary_json(summary).dump());
  return kOk;
}

}  // namespace

int run_training(Command& command, const TrainingOptions& training, const train::Recipe& recipe, int64_t d_model,
                 const MakeTask& make) {
  // A file-size limit shall be an error of the write, like a full disk, and no death.
  std::signal(SIGXFSZ, SIG_IGN);
  const std::unique_ptr<dist::Communicator> together = dist::join();
  data::set_share({together->rank(), together->world()});
  if (!together->is_first()) log().set_level(spdlog::level::warn);
  try {
    return train_together(*together, command, training, recipe, d_model, make);
  } catch (...) {
    if (together->world() == 1) throw;
    const Failure failure = describe_failure(std::current_exception());
    log().error("process {} of {}: {}", together->rank() + 1, together->world(), failure.message);
    log().flush();
    together->abort(failure.code);
    return failure.code;  // not reached
  }
}

}  // namespace heed::cli
