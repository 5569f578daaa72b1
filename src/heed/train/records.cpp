#include "heed/train/records.h"

#include "heed/base/error.h"
#include "heed/base/log.h"

namespace heed::train {

Records::Records(const std::filesystem::path& metrics, const std::filesystem::path& tensorboard, int64_t last_step)
    : metrics_(metrics, last_step) {
  try {
    events_.emplace(tensorboard, last_step > 0 ? std::optional(last_step + 1) : std::nullopt);
  } catch (const IoError& error) {
    log().error("no TensorBoard events: {}", error.what());
  }
}

void Records::scalars(int64_t step, const std::vector<Scalar>& values) {
  if (!events_) return;
  try {
    events_->write(step, values);
  } catch (const IoError& error) {
    events_.reset();
    log().error("no more TensorBoard events: {}; the training goes on", error.what());
  }
}

void Records::step(const StepRecord& r) {
  metrics_.write({{"step", r.step},
                  {"epoch", r.epoch},
                  {"loss", r.loss},
                  {"learning_rate", r.learning_rate},
                  {"gradient_norm", r.gradient_norm},
                  {"targets", r.targets},
                  {"targets_per_second", r.targets_per_second},
                  {"skipped", r.skipped},
                  {"seconds", r.seconds}});
  scalars(r.step, {{"train/loss", r.loss},
                   {"train/learning_rate", r.learning_rate},
                   {"train/gradient_norm", r.gradient_norm},
                   {"train/targets_per_second", r.targets_per_second},
                   {"train/epoch", static_cast<double>(r.epoch)}});
}

void Records::validation(int64_t step, const std::string& weights, const tasks::ValidationResult& result, bool best,
                         double seconds) {
  Json metrics = Json::object();
  std::vector<std::string> tags;
  for (const auto& [name, value] : result.metrics) {
    metrics[name] = value;
    tags.push_back((weights == "average" ? "valid_average/" : "valid/") + name);
  }
  metrics_.write({{"step", step}, {"weights", weights}, {"valid", metrics}, {"best", best}, {"seconds", seconds}});
  std::vector<Scalar> values;
  for (size_t i = 0; i < tags.size(); ++i) values.push_back({tags[i], result.metrics[i].second});
  scalars(step, values);
}

}  // namespace heed::train
