// The one training loop: steps, validation, checkpoints, early stopping, averaging, resuming, whatever the task.
//
// A run that is interrupted at any instant and resumed computes, with the same number of threads, bit for bit what the
// unbroken run does. The output folder is a model ready for use all the time: the best so far on the validation data,
// or without such data the latest that was saved. Saving may fail (a full disk): training goes on, with an error in the
// log, and the old checkpoint stands.
//
// Several processes may train together (TrainOptions::together), each calling train() with the same task and options:
// the first one alone decides, validates and writes.
#pragma once

#include "heed/tasks/training_task.h"
#include "heed/train/observer.h"
#include "heed/train/options.h"

namespace heed::train {

// Trains until a limit of the options is reached, or `stop` says so between two steps; the state is then saved. At the
// end, unless stopped, the mean of the last snapshots is tried and kept if it validates better (or if there is no
// validation). Throws UsageError for options out of range, for an output folder that is in use and for options that do
// not fit the training to be resumed; DivergedError after too many steps that are not finite; whatever the task throws.
TrainSummary train(tasks::TrainingTask& task, const TrainOptions& options, TrainObserver& observer,
                   const tasks::StopFlag& stop);

}  // namespace heed::train
