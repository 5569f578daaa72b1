#include "heed/cli/train_progress.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "heed/cli/train_options.h"

namespace heed::cli {
namespace {

constexpr size_t kRecent = 25;  // steps whose mean is shown

constexpr std::pair<train::EndReason, const char*> kReasons[] = {{train::EndReason::kMaxSteps, "all steps done"},
                                                                 {train::EndReason::kMaxEpochs, "all epochs done"},
                                                                 {train::EndReason::kMaxMinutes, "time is up"},
                                                                 {train::EndReason::kPatience, "no better any more"},
                                                                 {train::EndReason::kStopped, "stopped"}};

const char* reason_text(train::EndReason reason) {
  for (const auto& [known, text] : kReasons)
    if (reason == known) return text;
  return "";
}

std::string metrics_text(const tasks::ValidationResult& result) {
  std::string text;
  for (const auto& [name, value] : result.metrics)
    text += fmt::format("{}{} {:.{}f}", text.empty() ? "" : "  ", name, value,
                        name == "loss" || std::abs(value) <= 1 ? 4 : 2);
  return text;
}

double rate(int64_t targets, double seconds) { return seconds > 0 ? static_cast<double>(targets) / seconds : 0; }

}  // namespace

void TrainProgress::started(const train::StartReport& report) {
  if (report.nothing_to_resume) progress_.line("nothing to resume: the training begins anew");
  if (report.step > 0) progress_.line(fmt::format("resumed at step {}", report.step));
  progress_.line(fmt::format("{} parameters, {} batches an epoch, matrix products in {}",
                             format_count(static_cast<double>(report.parameters)), report.batches,
                             product_dtype_text(dtype_, device_)));
  begin_ = std::chrono::steady_clock::now();
}

std::string TrainProgress::fields(const train::StepReport& report) const {
  double loss = 0, seconds = 0;
  int64_t targets = 0, finite_targets = 0;
  for (const train::StepReport& r : recent_) {
    targets += r.targets;
    seconds += r.seconds;
    if (r.skipped) continue;
    loss += r.loss * static_cast<double>(r.targets);
    finite_targets += r.targets;
  }
  const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  const double left = seconds_left(report.progress - progress_at_begin_, 1 - progress_at_begin_, elapsed);
  return fmt::format("step {}{}  epoch {}  loss {:.4f}  lr {:.2e}  {}  norm {:.3f}  ETA {}", report.step,
                     max_steps_ > 0 ? fmt::format("/{}", max_steps_) : "", report.epoch + 1,
                     loss / static_cast<double>(std::max<int64_t>(finite_targets, 1)), report.learning_rate,
                     format_rate(rate(targets, seconds), unit_), report.gradient_norm, format_duration(left));
}

void TrainProgress::stepped(const train::StepReport& report) {
  if (progress_at_begin_ < 0) progress_at_begin_ = report.progress;
  recent_.push_back(report);
  if (recent_.size() > kRecent) recent_.pop_front();
  progress_.update([&] { return fields(report); });
}

void TrainProgress::validated(const train::ValidationReport& report) {
  progress_.line(fmt::format("step {}  validation{}: {}{}  ({})", report.step,
                             report.weights == "current" ? "" : fmt::format(" ({})", report.weights),
                             metrics_text(report.result), report.best ? "  best so far" : "",
                             format_duration(report.seconds)));
}

void TrainProgress::finish(const train::TrainSummary& s) {
  std::string text = fmt::format("{} after {} steps in {}, {}", reason_text(s.reason), s.steps,
                                 format_duration(s.seconds), format_rate(rate(s.targets, s.step_seconds), unit_));
  if (s.skipped > 0) text += fmt::format(", {} steps skipped", s.skipped);
  if (s.best) {
    text += fmt::format("; best: step {}{}, {}", s.best->step,
                        s.best->weights == "current" ? "" : " " + s.best->weights, metrics_text(s.best->result));
  }
  if (!s.saved) text += "; THE LAST CHECKPOINT COULD NOT BE WRITTEN";
  progress_.finish(text + fmt::format("; the model is in {}", s.model.string()));
}

Json summary_json(const train::TrainSummary& s) {
  Json json = {{"model", s.model.string()},
               {"end", reason_text(s.reason)},
               {"steps", s.steps},
               {"skipped", s.skipped},
               {"seconds", s.seconds},
               {"targets", s.targets},
               {"targets_per_second", rate(s.targets, s.step_seconds)},
               {"saved", s.saved}};
  if (s.best) {
    Json best = {{"step", s.best->step}, {"weights", s.best->weights}};
    for (const auto& [name, value] : s.best->result.metrics) best[name] = value;
    json["best"] = std::move(best);
  }
  return json;
}

}  // namespace heed::cli
