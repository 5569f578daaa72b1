// Where a training stands: all that the next step depends on and that is no tensor. It goes through a checkpoint's
// state.json without loss, so that a resumed training computes what the unbroken one does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "heed/base/json.h"
#include "heed/data/prefetch.h"

namespace heed::train {

struct TrainState {
  int64_t step = 0;     // steps taken, skipped ones included; the schedule and the dropout key follow from it
  int64_t updates = 0;  // of the optimizer
  data::Cursor next;    // the batch behind the last one applied
  int64_t targets = 0;  // trained on
  double seconds = 0;   // of work, in all runs
  double step_seconds = 0;

  int64_t skipped = 0;     // steps that were not finite
  int bad_in_a_row = 0;    // of them
  int64_t validated = -1;  // the step of the last validation on the way, and its score
  std::optional<double> validated_score;
  std::optional<double> best_score;  // of the validations on the way
  int worse_in_a_row = 0;            // validations since then

  // The folder's model: its score, and how it was measured.
  std::optional<double> model_score;
  int64_t model_step = 0;
  std::string model_weights = "current";
  std::vector<std::pair<std::string, double>> model_metrics;

  int64_t finished = -1;  // the step at which the training was concluded

  std::vector<int64_t> snapshots;  // steps of those on the disk, ascending

  // Of the steps since the last record of metrics.jsonl.
  double logged_loss = 0, logged_seconds = 0;
  int64_t logged_targets = 0;

  Json json() const;
  // Throws FormatError naming the key; `name` is what messages call the file.
  static TrainState from_json(const Json& json, const std::string& name);
};

}  // namespace heed::train
