#include "heed/tasks/language_model_training.h"

#include <algorithm>

#include "heed/data/token_text.h"
#include "heed/tasks/training_text.h"

namespace heed::tasks {
namespace {

struct Rows final : TrainingBatch {
  models::TextBatch text;
  std::vector<int32_t> wanted;  // behind each token
  std::string place;

  int64_t targets() const override { return static_cast<int64_t>(wanted.size()); }
  std::string describe() const override { return place; }
};

// What generation needs to know of a new model.
Json generation_config(const text::Tokenizer& tokenizer) {
  Json config = Json::object();
  const auto put = [&](const char* key, int32_t id) {
    if (id >= 0) config[key] = id;
  };
  put("bos_token_id", tokenizer.bos_id());
  put("eos_token_id", data::end_token_of(tokenizer));
  put("pad_token_id", tokenizer.pad_id());
  return config;
}

}  // namespace

LanguageModelTraining::LanguageModelTraining(LanguageModelTrainingOptions options) : options_(std::move(options)) {
  const TrainingText text = training_text(options_.train, options_.valid, options_.valid_fraction, options_.documents);
  start(text.train);
  CausalTextOptions rows{options_.packed, options_.end_token, block_, options_.cache, "", options_.seed};
  if (!options_.cache.empty()) rows.fingerprint = fingerprint_of(started_);
  train_.emplace(text.train, tokenizer(), rows);
  if (text.valid) valid_.emplace(*text.valid, tokenizer(), rows);
  batches_ = std::make_unique<ExampleBatches>(
      train_->lengths(), options_.batch_size, 0, options_.seed,
      [this](uint64_t epoch, std::span<const uint32_t> wanted) { return make_batch(epoch, wanted); });
  report_ = fmt::format("{}; {}; {} held out", described(train_->stream()), train_->describe(),
                        valid_ ? described(valid_->stream()) : "nothing");
}

void LanguageModelTraining::start(const data::TextSource& text) {
  started_ = start_model(options_.start, {}, pieces_of(text));
  model_ = model_as<models::CausalModel>(started_);
  const auto positions = static_cast<uint32_t>(model_->max_length());
  block_ = options_.block > 0 ? options_.block : std::min(options_.usual_block, positions);
  check<UsageError>(block_ <= positions, "--block is {}; the model has {} positions", block_, positions);
  if (options_.start.init.empty() && options_.start.resume.empty())
    model_->set_generation_config(generation_config(tokenizer()));
}

std::unique_ptr<TrainingBatch> LanguageModelTraining::make_batch(uint64_t epoch, std::span<const uint32_t> rows) const {
  auto batch = std::make_unique<Rows>();
  for (const uint32_t row : rows) train_->append(epoch, row, batch->text, batch->wanted);
  batch->place = "rows" + describe_examples(rows).substr(std::string_view("examples").size());
  return batch;
}

BatchLoss LanguageModelTraining::loss(const TrainingBatch& batch, const nn::Pass& pass, double divisor) const {
  const auto& b = static_cast<const Rows&>(batch);
  ops::CrossEntropyResult result = model_->loss(b.text, b.wanted, {0, divisor, pass});
  return {std::move(result.loss), result.loss_sum};
}

std::optional<ValidationResult> LanguageModelTraining::validate(const StopFlag& stop) {
  const auto found = valid_->perplexity(*model_, {block_}, stop);
  if (!found) return std::nullopt;
  ValidationResult result;
  result.metrics = {{"loss", found->loss()},
                    {"perplexity", found->perplexity()},
                    {"bits_per_byte", found->bits_per_byte(valid_->stream().counts().bytes)}};
  result.score = -found->loss();
  return result;
}

Json LanguageModelTraining::identity() const {
  Json json = common_identity(options_.start);
  const data::TokenStream& stream = train_->stream();
  json["train"] = fmt::format("{} tokens, {} bytes", stream.size(), stream.counts().bytes);
  json["packed"] = options_.packed;
  json["end-token"] = options_.end_token;
  json["block"] = block_;
  return json;
}

}  // namespace heed::tasks
