#include "heed/cli/train_command.h"

#include <csignal>

#include "heed/base/error.h"
#include "heed/base/log.h"
#include "heed/cli/signals.h"
#include "heed/cli/train_progress.h"
#include "heed/data/share.h"
#include "heed/dist/communicator.h"
#include "heed/train/batch_size.h"
#include "heed/train/output_folder.h"
#include "heed/train/trainer.h"

namespace heed::cli {
namespace {

// What holds, defaults included, so that nobody has to guess.
std::string course_text(const train::TrainOptions& o) {
  std::string text = fmt::format("{}, rate {:g} ({}), warm-up {} steps", o.optimizer_name(), o.schedule.peak,
                                 optim::name_of(o.schedule.kind), o.schedule.warmup);
  if (o.adam.weight_decay > 0) text += fmt::format(", weight decay {:g}", o.adam.weight_decay);
  if (o.clip_norm > 0) text += fmt::format(", gradient at most {:g}", o.clip_norm);
  if (o.max_epochs > 0) text += fmt::format("; {} epochs", o.max_epochs);
  if (o.max_steps > 0) text += fmt::format("; {} steps", o.max_steps);
  if (o.max_minutes > 0) text += fmt::format("; {:g} minutes", o.max_minutes);
  return text + fmt::format("; seed {}", o.seed);
}

// --memory-limit: batches of the size that fits; where a training goes on, of the size that it has.
void choose_batch_size(dist::Communicator& together, Command& command, const train::TrainOptions& options,
                       uint64_t limit, bool going_on, tasks::TrainingTask& task) {
  if (limit == 0) return;
  tasks::TrainingBatches& batches = task.batches();
  const std::string option = batches.option();
  check<UsageError>(options.device.is_host(),
                    "--memory-limit measures the process and not a GPU: give --{} with --device {}", option,
                    name_of(options.device));
  check<UsageError>(!command.options().given(option), "--memory-limit chooses --{}: give one of them", option);
  if (going_on) {
    const Json before = train::OutputFolder::options_of(options.output);
    check<FormatError>(before.contains(option) && before[option].is_number_integer(),
                       "{}: training.json does not say the {} that it began with", options.output.string(), option);
    return batches.resize(before[option].get<uint32_t>());
  }
  uint32_t size = 0;
  if (together.is_first()) {
    const train::FittedBatch fitted = train::fit_batch_size(task, options, limit);
    size = fitted.size;
    log().info("--{} {}{}: a step takes {} of {}", option, size, fitted.whole_data ? ", which holds a whole epoch" : "",
               format_bytes(fitted.peak), format_bytes(limit));
  }
  batches.resize(static_cast<uint32_t>(std::stoul(together.broadcast_text(std::to_string(size)))));
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
  check<UsageError>(made.task->has_validation() || options.valid_every == 0 || !command.options().given("valid-every"),
                    "--valid-every counts steps between validations, for which no data is held out");
  // train() does so too, but how many batches there are, and which is the heaviest, is asked before.
  if (!options.shuffle) made.task->batches().keep_order();
  choose_batch_size(together, command, options, training.memory_limit(), going_on, *made.task);
  const auto batches = static_cast<int64_t>(made.task->batches().count(0));
  fit_to_data(options, recipe, (batches + options.accumulate - 1) / options.accumulate, training.chosen());
  install_stop_signals();
  if (!together.is_first()) {
    train::TrainObserver silent;
    train::train(*made.task, options, silent, [] { return stop_requested(); });
    return kOk;
  }
  if (together.world() > 1) log().info("{} processes, each with its share of every batch", together.world());
  log().info("{}", made.task->report());
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
