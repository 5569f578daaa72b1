#include "heed/tasks/encoder_training.h"

#include <algorithm>

namespace heed::tasks {

void EncoderTraining::start(models::NewModel wanted, const TextPieces& text) {
  started_ = start_model(options_.start, std::move(wanted), text);
  model_ = model_as<models::EncoderModel>(started_);
  check<UsageError>(options_.max_length <= static_cast<uint32_t>(model_->max_length()),
                    "--max-length is {}; the model has {} positions", options_.max_length, model_->max_length());
}

void EncoderTraining::set_examples(std::span<const uint32_t> lengths, std::string report) {
  report_ = std::move(report);
  batches_ = std::make_unique<ExampleBatches>(
      lengths, options_.batch_size, 0, options_.seed,
      [this](uint64_t epoch, std::span<const uint32_t> examples) { return make_batch(epoch, examples); });
}

size_t EncoderTraining::max_length() const {
  return options_.max_length > 0 ? options_.max_length : static_cast<size_t>(model_->max_length());
}

BatchLoss EncoderTraining::loss(const TrainingBatch& batch, const nn::Pass& pass, double divisor) const {
  const auto& b = static_cast<const EncoderBatch&>(batch);
  models::HeadLoss result = model_->loss(b.texts, b.wanted, {options_.label_smoothing, divisor, pass});
  return {std::move(result.loss), result.loss_sum};
}

Json EncoderTraining::identity() const {
  Json json = common_identity(options_.start);
  json["max-length"] = options_.max_length;
  json["label-smoothing"] = options_.label_smoothing;
  return json;
}

}  // namespace heed::tasks
