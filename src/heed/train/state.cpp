#include "heed/train/state.h"

#include <cmath>
#include <limits>

#include "heed/base/error.h"

namespace heed::train {
namespace {

// Every field once, for writing and reading alike.
template <class State, class Visit>
void visit_fields(State& s, const Visit& visit) {
  visit("step", s.step);
  visit("updates", s.updates);
  visit("next_epoch", s.next.epoch);
  visit("next_batch", s.next.batch);
  visit("targets", s.targets);
  visit("seconds", s.seconds);
  visit("step_seconds", s.step_seconds);
  visit("skipped", s.skipped);
  visit("bad_in_a_row", s.bad_in_a_row);
  visit("validated", s.validated);
  visit("validated_score", s.validated_score);
  visit("best_score", s.best_score);
  visit("worse_in_a_row", s.worse_in_a_row);
  visit("model_score", s.model_score);
  visit("model_step", s.model_step);
  visit("model_weights", s.model_weights);
  visit("model_metrics", s.model_metrics);
  visit("finished", s.finished);
  visit("snapshots", s.snapshots);
  visit("logged_loss", s.logged_loss);
  visit("logged_seconds", s.logged_seconds);
  visit("logged_targets", s.logged_targets);
}

template <class T>
Json to_json(const T& value) {
  return value;
}
Json to_json(const std::optional<double>& value) { return value ? Json(*value) : Json(); }
Json to_json(const std::vector<std::pair<std::string, double>>& metrics) {
  Json json = Json::object();
  for (const auto& [name, value] : metrics) json[name] = value;
  return json;
}

template <class T>
void read(const Json& json, T& value) {
  json.get_to(value);
}
void read(const Json& json, std::optional<double>& value) {
  if (!json.is_null()) value = json.get<double>();
}
void read(const Json& json, std::vector<std::pair<std::string, double>>& metrics) {
  // JSON has no infinity or NaN: they were written as null.
  for (const auto& [name, value] : json.items())
    metrics.emplace_back(name, value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>());
}

}  // namespace

Json TrainState::json() const {
  Json json = Json::object();
  visit_fields(*this, [&](const char* name, const auto& value) { json[name] = to_json(value); });
  return json;
}

TrainState TrainState::from_json(const Json& json, const std::string& name) {
  TrainState state;
  try {
    visit_fields(state, [&](const char* key, auto& value) { read(json.at(key), value); });
  } catch (const Json::exception& error) {
    fail<FormatError>("{}: {}", name, error.what());
  }
  return state;
}

}  // namespace heed::train
