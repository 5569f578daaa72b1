// The options that say how far fine-tuning reaches, and how fast; for models that --init names.
#pragma once

#include <string>

#include "heed/cli/options.h"
#include "heed/tasks/tuning.h"

namespace heed::cli {

class TuningOptions {
 public:
  // The object must outlive the command's parse().
  void add_to(Options& o);
  // Throws UsageError for options that contradict each other, or that are given without --init.
  tasks::Tuning resolve(const Options& o, bool has_init) const;

 private:
  models::FineTuning rates() const;

  std::string freeze_ = "nothing";
  double layer_decay_ = 1;
  models::LoraConfig lora_;
};

}  // namespace heed::cli
