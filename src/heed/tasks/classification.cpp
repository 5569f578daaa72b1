#include "heed/tasks/classification.h"

#include <cmath>

namespace heed::tasks {

TextClassifier TextClassifier::load(const std::filesystem::path& folder, const models::LoadOptions& options) {
  return {EncoderTexts::load(folder, models::Head::kSequenceClassification, options)};
}

Scores TextClassifier::default_scores() const {
  const Json& config = model->config();
  const bool says_regression = config.contains("problem_type") && config["problem_type"] == "regression";
  if (says_regression) return Scores::kNone;
  return model->problem() == models::Problem::kSingleLabel ? Scores::kSoftmax : Scores::kSigmoid;
}

Scores scores_of(models::Problem problem) {
  switch (problem) {
    case models::Problem::kSingleLabel: return Scores::kSoftmax;
    case models::Problem::kMultiLabel: return Scores::kSigmoid;
    case models::Problem::kRegression: break;
  }
  return Scores::kNone;
}

std::vector<std::vector<float>> TextClassifier::scores(const std::vector<text::TokenizedText>& texts, Scores kind,
                                                       size_t batch_size) const {
  std::vector<std::vector<float>> result(texts.size());
  const auto pointers = pointers_to(texts);
  for_each_batch(pointers, batch_size, [&](const models::TextBatch& batch, const std::vector<uint32_t>& members) {
    Tensor z = model->logits(batch, {});  // [rows, labels]
    if (kind == Scores::kSoftmax) z = ops::softmax(z);
    for (size_t i = 0; i < members.size(); ++i) {
      std::vector<float> row = z.slice_rows(static_cast<int64_t>(i), 1).to_vector<float>();
      if (kind == Scores::kSigmoid)
        for (float& x : row) x = 1 / (1 + std::exp(-x));
      result[members[i]] = std::move(row);
    }
  });
  return result;
}

}  // namespace heed::tasks
