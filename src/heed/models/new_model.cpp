#include "heed/models/new_model.h"

#include <cmath>

#include "heed/base/error.h"

namespace heed::models {

double NewModel::dropout_rate(float otherwise) const {
  return std::stod(fmt::format("{}", dropout.value_or(otherwise)));
}

double NewModel::deviation() const { return std::round(1e4 * 0.02 * std::sqrt(768.0 / d_model)) / 1e4; }

void check_sizes(const NewModel& m) {
  const int heads = m.head_count(), kv_heads = m.kv_heads.value_or(heads);
  check<UsageError>(m.d_model % heads == 0, "--d-model {} is no multiple of --heads {}", m.d_model, heads);
  check<UsageError>(heads % kv_heads == 0, "--heads {} is no multiple of --kv-heads {}", heads, kv_heads);
}

void write_classes(Json& config, const std::vector<std::string>& labels, Problem problem) {
  Json names = Json::object(), ids = Json::object();
  for (size_t i = 0; i < labels.size(); ++i) {
    names[std::to_string(i)] = labels[i];
    ids[labels[i]] = i;
  }
  config.erase("num_labels");
  config["id2label"] = std::move(names);
  config["label2id"] = std::move(ids);
  config["problem_type"] = problem == Problem::kRegression   ? "regression"
                           : problem == Problem::kMultiLabel ? "multi_label_classification"
                                                             : "single_label_classification";
}

void write_ids(Json& config, const SpecialIds& ids) {
  const auto put = [&](const char* key, int32_t id) { config[key] = id >= 0 ? Json(id) : Json(); };
  put("pad_token_id", ids.pad);
  put("bos_token_id", ids.bos);
  put("eos_token_id", ids.eos);
}

}  // namespace heed::models
