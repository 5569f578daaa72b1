#include "heed/inspect/curves.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "heed/base/error.h"

namespace heed::inspect {
namespace {

constexpr int kTicksAcross = 6, kTicksUp = 5;
constexpr double kSmoothedOver = 50;     // as many records as the 50th part by default
constexpr double kBeginning = 1.0 / 40;  // of a training, whose steep fall of the loss is not shown whole

constexpr std::array kStepKeys{"loss", "learning_rate", "targets_per_second"};

double value_of(const LoggedStep& step, const std::string& key) {
  if (key == "loss") return step.loss;
  return key == "learning_rate" ? step.learning_rate : step.targets_per_second;
}

std::optional<double> value_of(const LoggedValidation& validation, const std::string& key) {
  for (const auto& [name, value] : validation.metrics)
    if (name == key) return value;
  return std::nullopt;
}

bool is_of_steps(const std::string& key) {
  return std::find(kStepKeys.begin(), kStepKeys.end(), key) != kStepKeys.end();
}

double across_of(const LoggedStep& step, Across across) {
  if (across == Across::kMinutes) return step.seconds / 60;
  return across == Across::kTargets ? step.targets : static_cast<double>(step.step);
}

// Where a validation stands. How many targets there had been is known at the records around it.
double across_of(const LoggedValidation& validation, const TrainingLog& log, Across across) {
  if (across == Across::kSteps) return static_cast<double>(validation.step);
  if (across == Across::kMinutes) return validation.seconds / 60;
  const auto after = std::lower_bound(log.steps.begin(), log.steps.end(), validation.step,
                                      [](const LoggedStep& s, int64_t step) { return s.step < step; });
  const LoggedStep begin{};
  const LoggedStep& before = after == log.steps.begin() ? begin : *std::prev(after);
  if (after == log.steps.end()) return before.targets;
  const double share =
      static_cast<double>(validation.step - before.step) / static_cast<double>(after->step - before.step);
  return before.targets + share * (after->targets - before.targets);
}

bool drawable(const Point& p, bool log_x) { return std::isfinite(p.x) && std::isfinite(p.y) && (!log_x || p.x > 0); }

Curve training_curve(const TrainingLog& log, size_t run, const std::string& key, const CurveOptions& options) {
  Curve curve{.run = run};
  for (const LoggedStep& step : log.steps)
    if (const Point p{across_of(step, options.across), value_of(step, key)}; drawable(p, options.log_x))
      curve.points.push_back(p);
  if (key == "learning_rate") return curve;
  const double usual = 1 - 1 / std::max(1.0, static_cast<double>(curve.points.size()) / kSmoothedOver);
  const double smoothing = options.smoothing.value_or(usual);
  if (smoothing == 0) return curve;
  curve.raw = curve.points;
  curve.points = smoothed(curve.raw, smoothing);
  return curve;
}

Curve validation_curve(const TrainingLog& log, size_t run, const std::string& key, const CurveOptions& options) {
  Curve curve{.run = run, .validation = true};
  for (const LoggedValidation& validation : log.validations) {
    const auto value = value_of(validation, key);
    const Point p{across_of(validation, log, options.across), value.value_or(0)};
    if (!value || !drawable(p, options.log_x)) continue;
    (validation.averaged ? curve.averaged : curve.points).push_back(p);
    if (&validation == log.best()) curve.best = p;
  }
  return curve;
}

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void take(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

Axis across_axis(const std::vector<Curve>& curves, bool log) {
  Range range;
  for (const Curve& curve : curves)
    for (const auto* points : {&curve.points, &curve.averaged})
      for (const Point& p : *points) range.take(p.x);
  return {log ? range.low : std::min(0.0, range.low), range.high, log, kTicksAcross};
}

// What is shown upwards: of losses not the beginning, whose height would press all else flat.
Axis upward_axis(const std::vector<Curve>& curves, const std::string& key, double longest, bool log) {
  const bool falls = key == "loss" || key == "perplexity";
  Range range, all;
  const auto take = [&](const Point& p) {
    if (log && p.y <= 0) return;
    all.take(p.y);
    if (log || !falls || p.x > kBeginning * longest) range.take(p.y);
  };
  for (const Curve& curve : curves)
    for (const auto* points : {&curve.points, &curve.averaged}) std::for_each(points->begin(), points->end(), take);
  if (range.empty()) range = all;
  if (range.empty()) range = {1, 10};  // nothing that a logarithm has
  if (!log && (key == "learning_rate" || key == "targets_per_second")) range.take(0);
  return {range.low, range.high, log, kTicksUp, Axis::Ends::kTicks};
}

std::optional<Panel> make_panel(std::span<const TrainingLog> runs, const std::string& key,
                                const CurveOptions& options) {
  std::vector<Curve> curves;
  for (size_t run = 0; run < runs.size(); ++run) {
    if (is_of_steps(key)) curves.push_back(training_curve(runs[run], run, key, options));
    if (key == "loss" || !is_of_steps(key)) curves.push_back(validation_curve(runs[run], run, key, options));
  }
  std::erase_if(curves, [](const Curve& c) { return c.points.empty() && c.averaged.empty(); });
  if (curves.empty()) return std::nullopt;
  constexpr std::array kAcross{"step", "minutes", "targets"};
  const Axis x = across_axis(curves, options.log_x);
  const bool log_y = options.log_y && (key == "loss" || key == "perplexity" || key == "learning_rate");
  return Panel{key,
               title_of(key),
               kAcross[static_cast<size_t>(options.across)],
               x,
               upward_axis(curves, key, x.high(), log_y),
               std::move(curves)};
}

}  // namespace

std::string title_of(const std::string& key) {
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"bleu", "BLEU"},      {"chrf", "chrF"},      {"f1", "F1"},           {"rouge1", "ROUGE-1"},
      {"rouge2", "ROUGE-2"}, {"rougeL", "ROUGE-L"}, {"rouge_l", "ROUGE-L"}, {"rougeLsum", "ROUGE-Lsum"}};
  for (const auto& [known, name] : kNames)
    if (key == known) return std::string(name);
  std::string title = key;
  std::replace(title.begin(), title.end(), '_', ' ');
  if (const size_t at = title.find(" f1"); at != std::string::npos) title[at + 1] = 'F';
  if (!title.empty() && title[0] >= 'a' && title[0] <= 'z') title[0] = static_cast<char>(title[0] - 'a' + 'A');
  return title;
}

std::vector<std::string> panel_keys(std::span<const TrainingLog> runs) {
  std::vector<std::string> keys{"loss"};
  for (const TrainingLog& run : runs)
    for (const LoggedValidation& validation : run.validations)
      for (const auto& [name, value] : validation.metrics)
        if (std::find(keys.begin(), keys.end(), name) == keys.end()) keys.push_back(name);
  keys.insert(keys.end(), {"learning_rate", "targets_per_second"});
  return keys;
}

std::vector<std::string> usual_panels(std::span<const TrainingLog> runs) {
  std::vector<std::string> keys = panel_keys(runs);
  std::erase(keys, "perplexity");
  return keys;
}

std::vector<Panel> make_panels(std::span<const TrainingLog> runs, const CurveOptions& options) {
  for (const TrainingLog& run : runs)
    check<DataError>(options.across != Across::kTargets || run.steps.empty() || std::isfinite(run.steps.back().targets),
                     "{}: does not say how many targets were trained on (it is of an earlier version)",
                     run.file.string());
  const std::vector<std::string> known = panel_keys(runs);
  for (const std::string& key : options.show)
    check<UsageError>(std::find(known.begin(), known.end(), key) != known.end(), "no run has a \"{}\"; there are {}",
                      key, fmt::join(known, ", "));
  std::vector<Panel> panels;
  for (const std::string& key : options.show.empty() ? usual_panels(runs) : options.show)
    if (auto panel = make_panel(runs, key, options)) panels.push_back(*std::move(panel));
  check<DataError>(!panels.empty(), "the runs hold nothing to draw");
  return panels;
}

std::vector<Point> thinned(const std::vector<Point>& points, size_t most) {
  if (points.size() <= most) return points;
  std::vector<Point> result;
  for (size_t i = 0; i < most; ++i) {
    const size_t begin = i * points.size() / most, end = (i + 1) * points.size() / most;
    Point mean;
    for (size_t k = begin; k < end; ++k) mean.x += points[k].x, mean.y += points[k].y;
    const auto count = static_cast<double>(end - begin);
    result.push_back({mean.x / count, mean.y / count});
  }
  // A curve ends where the training does.
  result.back() = points.back();
  return result;
}

std::vector<Point> smoothed(const std::vector<Point>& points, double smoothing) {
  std::vector<Point> result;
  double mean = 0, weight = 0;
  for (const Point& p : points) {
    mean = smoothing * mean + (1 - smoothing) * p.y;
    weight = smoothing * weight + (1 - smoothing);
    result.push_back({p.x, mean / weight});
  }
  return result;
}

}  // namespace heed::inspect
