// What all `heed train …` commands do behind their options: the output folder, the task, the loop, the summary.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "heed/cli/command.h"
#include "heed/cli/train_options.h"
#include "heed/tasks/training_task.h"

namespace heed::cli {

// A task, and what its targets are.
struct MadeTask {
  std::unique_ptr<tasks::TrainingTask> task;
  std::string unit = "tok";
};

// Reads the data; `resume` is the folder that is gone on with, or empty.
using MakeTask = std::function<MadeTask(const std::filesystem::path& resume)>;

// Trains, together with the processes that a launcher started beside this one, if it did. Returns the exit code.
int run_training(Command& command, const TrainingOptions& training, const train::Recipe& recipe, int64_t d_model,
                 const MakeTask& make);

}  // namespace heed::cli
