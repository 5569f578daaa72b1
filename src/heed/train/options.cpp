#include "heed/train/options.h"

#include "heed/base/error.h"

namespace heed::train {

using optim::ScheduleKind;

void TrainOptions::validate() const {
  const auto at_least = [](const char* name, double value, double least) {
    check<UsageError>(value >= least, "--{} is {}; at least {} is needed", name, value, least);
  };
  at_least("max-steps", static_cast<double>(max_steps), 0);
  at_least("max-minutes", max_minutes, 0);
  at_least("patience", patience, 0);
  at_least("accumulate", accumulate, 1);
  at_least("clip-norm", clip_norm, 0);
  at_least("warmup", static_cast<double>(schedule.warmup), 0);
  at_least("valid-every", static_cast<double>(valid_every), 0);
  at_least("save-every", static_cast<double>(save_every), 0);
  at_least("snapshot-every", static_cast<double>(snapshot_every), 0);
  at_least("log-every", static_cast<double>(log_every), 1);
  at_least("average", average, 0);
  at_least("keep-last", keep_last, 1);
  at_least("keep-best", keep_best, 0);
  at_least("weight-decay", static_cast<double>(adam.weight_decay), 0);
  check<UsageError>(dtype == DType::kF32 || dtype == DType::kBF16, "--dtype is {}; expected f32 or bf16",
                    name_of(dtype));
  check<UsageError>(!muon || adam.decoupled, "Muon takes weight decay off the weights: Adam beside it must do so, too");
  check<UsageError>(adam.epsilon > 0, "--epsilon is {}; more than 0 is needed", adam.epsilon);
  check<UsageError>(!optim::has_end(schedule.kind) || schedule.floor <= schedule.peak,
                    "--min-learning-rate is {}; at most the --learning-rate, {}, is possible", schedule.floor,
                    schedule.peak);
  check<UsageError>(schedule.peak > 0, "--learning-rate is {}; a positive rate is needed", schedule.peak);
  check<UsageError>(ema >= 0 && ema < 1, "--ema is {}; a decay in [0, 1) is needed", ema);
  check<UsageError>(ema == 0 || average == 0, "--ema and --average exclude each other: give --average 0");
  check<UsageError>(!optim::has_end(schedule.kind) || schedule.total > 0,
                    "--schedule {} needs --max-steps, the step at which the rate has fallen",
                    optim::name_of(schedule.kind));
  check<UsageError>(patience == 0 || valid_every > 0, "--patience needs --valid-every");
}

const char* TrainOptions::optimizer_name() const {
  if (muon) return "muon";
  return adam.decoupled ? "adamw" : "adam";
}

Json TrainOptions::identity() const {
  Json json = {{"seed", seed},
               {"accumulate", accumulate},
               {"schedule", optim::name_of(schedule.kind)},
               {"learning-rate", schedule.peak},
               {"warmup", schedule.warmup},
               {"min-learning-rate", schedule.floor},
               {"optimizer", optimizer_name()},
               {"beta1", adam.beta1},
               {"beta2", adam.beta2},
               {"epsilon", adam.epsilon},
               {"weight-decay", adam.weight_decay},
               {"decay-all", decay_all},
               {"clip-norm", clip_norm},
               {"ema", ema}};
  if (muon) json["momentum"] = momentum;
  // Trainings begun before there was a choice say nothing of these.
  if (!shuffle) json["shuffle"] = false;
  if (dtype != DType::kF32) json["dtype"] = name_of(dtype);
  if (optim::has_end(schedule.kind)) json["max-steps"] = schedule.total;
  if (schedule.kind == ScheduleKind::kPaper) json["d-model"] = schedule.d_model;
  return json;
}

}  // namespace heed::train
