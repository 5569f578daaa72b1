#include "heed/tasks/masked_lm_training.h"

#include <algorithm>
#include <cmath>

#include "heed/tasks/training_text.h"

namespace heed::tasks {

MaskedLmTraining::MaskedLmTraining(MaskedLmTrainingOptions options)
    : EncoderTraining(options), options_(std::move(options)) {
  const TrainingText text = training_text(options_.train, options_.valid, options_.valid_fraction, options_.documents);
  models::NewModel wanted;
  wanted.head = models::Head::kMaskedLM;
  start(wanted, pieces_of(text.train));
  MaskedTextOptions o;
  o.packed = options_.packed;
  o.max_length = static_cast<uint32_t>(max_length());
  o.probability = options_.mask_probability;
  o.whole_words = options_.whole_words;
  o.cache = options_.cache;
  if (!options_.cache.empty()) o.fingerprint = fingerprint_of(started_);
  o.seed = options_.seed;
  train_.emplace(text.train, tokenizer(), o);
  if (text.valid) valid_.emplace(*text.valid, tokenizer(), o);
  set_examples(train_->lengths(), fmt::format("{}; {} examples; {} held out", described(train_->stream()),
                                              train_->size(), valid_ ? described(valid_->stream()) : "nothing"));
}

std::unique_ptr<EncoderBatch> MaskedLmTraining::make_batch(uint64_t epoch, std::span<const uint32_t> examples) const {
  auto batch = std::make_unique<EncoderBatch>();
  for (const uint32_t i : examples) train_->append(epoch, i, batch->texts, batch->wanted.classes);
  const auto& wanted = batch->wanted.classes;
  batch->count = std::count_if(wanted.begin(), wanted.end(), [](int32_t id) { return id >= 0; });
  batch->place = describe_examples(examples);
  return batch;
}

std::optional<ValidationResult> MaskedLmTraining::validate(const StopFlag& stop) {
  const auto score = masked_score(model(), *valid_, stop);
  if (!score) return std::nullopt;
  ValidationResult result;
  result.metrics = {{"loss", score->loss}, {"perplexity", std::exp(score->loss)}, {"accuracy", score->accuracy}};
  result.score = -score->loss;
  return result;
}

Json MaskedLmTraining::identity() const {
  Json json = EncoderTraining::identity();
  const data::TokenStream& stream = train_->stream();
  json["train"] = fmt::format("{} tokens, {} bytes", stream.size(), stream.counts().bytes);
  json["packed"] = options_.packed;
  json["mask-probability"] = options_.mask_probability;
  json["whole-words"] = options_.whole_words;
  return json;
}

}  // namespace heed::tasks
