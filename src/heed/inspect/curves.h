// Curves of trainings: what their logs hold, as panels that can be drawn (svg_panel.h, terminal_panel.h). Pure
// functions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "heed/inspect/axis.h"
#include "heed/inspect/training_log.h"

namespace heed::inspect {

enum class Across : uint8_t { kSteps, kMinutes, kTargets };

struct CurveOptions {
  Across across = Across::kSteps;
  bool log_x = false, log_y = false;  // log_y: of losses, perplexity and the learning rate
  // Of an exponential mean: how much of it is what came before, in [0, 1); not given: by the number of records. 0:
  // none.
  std::optional<double> smoothing{};
  std::vector<std::string> show{};  // which panels, by key; empty: those of usual_panels()
};

struct Point {
  double x = 0, y = 0;
};

// One line of a panel.
struct Curve {
  size_t run = 0;
  bool validation = false;        // points that stand for themselves; else smoothed
  std::vector<Point> points{};    // finite, in the order of x
  std::vector<Point> raw{};       // what was smoothed; empty if nothing was
  std::vector<Point> averaged{};  // of means of snapshots
  std::optional<Point> best{};    // that the model was chosen at
};

struct Panel {
  std::string key, title, across;  // "loss", "Loss", "step"
  Axis x, y;
  std::vector<Curve> curves;
};

// The keys of what the logs hold: loss, the names of validation metrics, learning_rate, targets_per_second.
std::vector<std::string> panel_keys(std::span<const TrainingLog> runs);
// All of them but the perplexity, which says what the loss says.
std::vector<std::string> usual_panels(std::span<const TrainingLog> runs);

// The panels, each with what there is of every run. Throws UsageError for a key that no run has, DataError if runs do
// not say how many targets they had and that is asked for.
std::vector<Panel> make_panels(std::span<const TrainingLog> runs, const CurveOptions& options);

// "bleu" -> "BLEU", "macro_f1" -> "Macro F1".
std::string title_of(const std::string& key);

// At most `most` points: means of neighbours where there are more.
std::vector<Point> thinned(const std::vector<Point>& points, size_t most);

// The exponential mean of the points, begun without bias (Kingma and Ba 2015, section 3).
std::vector<Point> smoothed(const std::vector<Point>& points, double smoothing);

}  // namespace heed::inspect
