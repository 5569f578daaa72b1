// What `heed train …` commands share where ModelOptions say what the model is: files of examples, and what the options
// of all such tasks have in common.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "heed/base/threads.h"
#include "heed/cli/train_command.h"
#include "heed/cli/train_model_options.h"

namespace heed::cli {

// --train, --valid and --valid-fraction of the task's options. `what`: what the files hold.
template <class TaskOptions>
void add_example_files(Options& o, TaskOptions& task, const std::string& what) {
  o.section("Text (plain, gzip or zstd)");
  o.add("train", task.train, what).required();
  o.add("valid", task.valid, "Held-out ones");
  o.add("valid-fraction", task.valid_fraction, "Without --valid: hold out this share of --train, from its end")
      .range(0, 0.9);
}

// Trains `Task` with its options, `task`; `batch_size`: --batch-size, where the task has it. Returns the exit code.
template <class Task, class TaskOptions>
int train_task(Command& command, const TrainingOptions& training, const train::Recipe& recipe,
               const ModelOptions& model, TaskOptions task, std::optional<int> batch_size, const std::string& unit) {
  if constexpr (requires { task.batch_size; })
    task.batch_size = batch_size ? static_cast<uint32_t>(*batch_size) : recipe.batch_size;
  if constexpr (requires { task.threads; }) task.threads = thread_count();
  task.seed = command.common().seed;
  return run_training(command, training, recipe, model.d_model(), [&](const std::filesystem::path& resume) {
    task.start = model.resolve(command, resume);
    return MadeTask{std::make_unique<Task>(task), unit};
  });
}

}  // namespace heed::cli
