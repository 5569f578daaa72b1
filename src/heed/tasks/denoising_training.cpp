#include "heed/tasks/denoising_training.h"

#include <algorithm>
#include <cmath>

#include "heed/models/pretraining.h"
#include "heed/tasks/training_text.h"

namespace heed::tasks {
namespace {

struct NoisyBatch final : TrainingBatch {
  models::Seq2SeqBatch pairs;
  std::string place;

  int64_t targets() const override { return pairs.target.tokens(); }
  std::string describe() const override { return place; }
};

const char* name_of(Denoising kind) { return kind == Denoising::kSpans ? "spans" : "infilling"; }

}  // namespace

Denoising denoising_for(const text::Tokenizer& tokenizer) {
  return tokenizer.id(tokens_for(Denoising::kSpans).front()) >= 0 ? Denoising::kSpans : Denoising::kInfilling;
}

uint32_t denoising_block(const text::Tokenizer& tokenizer, int positions, uint32_t wanted, uint32_t usual) {
  // Neither side is longer than the text but by what stands around it.
  const int room = positions - static_cast<int>(std::max<size_t>(1, data::frame_of(tokenizer).size()));
  check<UsageError>(room > 0, "the model's {} positions have no room for text", positions);
  const auto most = static_cast<uint32_t>(room);
  check<UsageError>(wanted <= most, "--block is {}; the model's {} positions have room for {}", wanted, positions,
                    most);
  return wanted > 0 ? wanted : std::min(usual, most);
}

DenoisingTraining::DenoisingTraining(DenoisingTrainingOptions options) : options_(std::move(options)) {
  const TrainingText text = training_text(options_.train, options_.valid, options_.valid_fraction, options_.documents);
  start(text.train);
  NoisyTextOptions& noise = options_.noise;
  if (!noise.cache.empty()) noise.fingerprint = fingerprint_of(started_);
  noise.seed = options_.seed;
  train_.emplace(text.train, *started_.tokenizer, noise);
  if (text.valid) valid_.emplace(*text.valid, *started_.tokenizer, noise);
  batches_ = std::make_unique<ExampleBatches>(train_->lengths(), options_.batch_size, 0, options_.seed,
                                              [this](uint64_t epoch, std::span<const uint32_t> examples) {
                                                auto batch = std::make_unique<NoisyBatch>();
                                                for (const uint32_t i : examples)
                                                  train_->append(epoch, i, batch->pairs);
                                                batch->place = describe_examples(examples);
                                                return batch;
                                              });
  report_ = fmt::format("{}; {} examples, corrupted by {}; {} held out", described(train_->stream()), train_->size(),
                        name_of(noise.kind), valid_ ? described(valid_->stream()) : "nothing");
}

void DenoisingTraining::start(const data::TextSource& text) {
  ModelStart begin = options_.start;
  const bool is_new = begin.init.empty() && begin.resume.empty();
  if (is_new)
    begin.tokenizer.special_tokens = tokens_for(
        options_.kind.value_or(models::pretrains_on_spans(begin.family) ? Denoising::kSpans : Denoising::kInfilling));
  started_ = start_model(begin, {}, pieces_of(text));
  model_ = model_as<models::Seq2SeqModel>(started_);
  const text::Tokenizer& tokenizer = *started_.tokenizer;
  check<UsageError>(tokenizer.vocab_size() <= model_->vocab_size(), "the tokenizer has {} tokens, the model only {}",
                    tokenizer.vocab_size(), model_->vocab_size());
  NoisyTextOptions& noise = options_.noise;
  noise.kind = options_.kind.value_or(denoising_for(tokenizer));
  noise.block = denoising_block(tokenizer, model_->max_length(), noise.block, options_.usual_block);
}

BatchLoss DenoisingTraining::loss(const TrainingBatch& batch, const nn::Pass& pass, double divisor) const {
  const auto& b = static_cast<const NoisyBatch&>(batch);
  ops::CrossEntropyResult result = model_->loss(b.pairs, {options_.label_smoothing, divisor, pass});
  return {std::move(result.loss), result.loss_sum};
}

std::optional<ValidationResult> DenoisingTraining::validate(const StopFlag& stop) {
  const auto score = noisy_score(*model_, *valid_, stop);
  if (!score) return std::nullopt;
  return ValidationResult{{{"loss", score->loss}, {"perplexity", std::exp(score->loss)}}, -score->loss};
}

Json DenoisingTraining::identity() const {
  Json json = identity_of(options_.start);
  const NoisyTextOptions& noise = options_.noise;
  json["train"] = fmt::format("{} tokens, {} bytes", train_->stream().size(), train_->stream().counts().bytes);
  json["objective"] = name_of(noise.kind);
  json["noise-density"] = noise.density ? Json(*noise.density) : Json();
  json["mean-span"] = noise.mean_length;
  json["permute-sentences"] = noise.permute;
  json["packed"] = noise.packed;
  json["block"] = noise.block;
  json[batches_->option()] = batches_->size();
  json["label-smoothing"] = options_.label_smoothing;
  return json;
}

}  // namespace heed::tasks
