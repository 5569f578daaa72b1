#include "heed/models/classification.h"

#include <charconv>

#include "heed/base/error.h"

namespace heed::models {
namespace {

// {"0": "cat", "1": "dog"} in any order.
std::vector<std::string> read_labels(const Json& names, const std::string& file) {
  check<ConfigError>(names.is_object() && !names.empty() && names.size() <= io::kMaxVocab,
                     "{}: id2label must be an object with a name for each class", file);
  std::vector<std::string> labels(names.size());
  std::vector<bool> given(names.size());
  for (const auto& [key, name] : names.items()) {
    size_t id = 0;
    const auto [end, code] = std::from_chars(key.data(), key.data() + key.size(), id);
    check<ConfigError>(code == std::errc() && end == key.data() + key.size() && id < labels.size() && !given[id],
                       "{}: id2label has the key \"{}\"; the numbers from 0 to {} were expected, each once", file, key,
                       labels.size() - 1);
    check<ConfigError>(name.is_string(), "{}: id2label.{} must be a string", file, key);
    labels[id] = name.get<std::string>();
    given[id] = true;
  }
  return labels;
}

HeadLoss head_loss(const ops::LossResult& r) { return {r.loss, r.loss_sum, r.targets}; }

HeadLoss one_label_loss(const Tensor& logits, const Targets& targets, const LossOptions& options) {
  check<UsageError>(!targets.classes.empty() || logits.dim(0) == 0, "a choice of one label needs a class for each row");
  const Tensor classes = Tensor::from(targets.classes, {static_cast<int64_t>(targets.classes.size())});
  const auto count = static_cast<int64_t>(targets.weights.size());
  const Tensor weights = count > 0 ? Tensor::from(targets.weights, {count}) : Tensor();
  const auto hard = ops::cross_entropy(logits, classes, options.label_smoothing, options.divisor, weights);
  if (!targets.shares.defined()) return head_loss(hard);
  // The gradient of softened logits shrinks with the square of the temperature.
  const double square = static_cast<double>(targets.temperature) * targets.temperature;
  const auto soft =
      ops::soft_cross_entropy(ops::scale(logits, 1 / targets.temperature), targets.shares, options.divisor / square);
  return {ops::add(hard.loss, soft.loss), hard.loss_sum + soft.loss_sum * square, logits.dim(0)};
}

}  // namespace

Classification read_classification(const io::ConfigReader& config, const std::string& file, int usual) {
  Classification result;
  const auto count = config.get<int>("num_labels", 1, io::kMaxVocab);
  if (const Json* names = config.find("id2label")) {
    result.labels = read_labels(*names, file);
    check<ConfigError>(!count || static_cast<size_t>(*count) == result.labels.size(),
                       "{}: num_labels is {}, but id2label names {} classes", file, count.value_or(0),
                       result.labels.size());
  } else {
    for (int i = 0; i < count.value_or(usual); ++i) result.labels.push_back(fmt::format("LABEL_{}", i));
  }
  const bool one = result.labels.size() == 1;
  result.problem = config.get_enum_or("problem_type", one ? Problem::kRegression : Problem::kSingleLabel,
                                      {{"single_label_classification", Problem::kSingleLabel},
                                       {"multi_label_classification", Problem::kMultiLabel},
                                       {"regression", Problem::kRegression}});
  check<ConfigError>(!one || result.problem != Problem::kSingleLabel,
                     "{}: problem_type \"single_label_classification\" needs more than one class in id2label", file);
  return result;
}

HeadLoss classification_loss(Problem problem, const Tensor& logits, const Targets& targets,
                             const LossOptions& options) {
  if (problem == Problem::kSingleLabel) return one_label_loss(logits, targets, options);
  check<UsageError>(targets.values.defined(), "{} needs numbers for each row",
                    problem == Problem::kMultiLabel ? "classification by several labels" : "regression");
  const Tensor values = targets.values.reshape(logits.shape());
  return head_loss(problem == Problem::kMultiLabel ? ops::binary_cross_entropy(logits, values, options.divisor)
                                                   : ops::squared_error(logits, values, options.divisor));
}

}  // namespace heed::models
