#include "heed/tasks/language_model_training.h"

#include <algorithm>
#include <limits>

#include "heed/base/log.h"
#include "heed/tasks/perplexity.h"
#include "heed/tasks/training_text.h"

namespace heed::tasks {
namespace {

struct Blocks final : TrainingBatch {
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
  data::TokenTextOptions encoding{options_.end_token, options_.cache, ""};
  if (!options_.cache.empty()) encoding.tokenizer = fingerprint_of(started_);
  train_ = data::encode_text(text.train, tokenizer(), encoding);
  if (text.valid) valid_ = data::encode_text(*text.valid, tokenizer(), encoding);
  blocks_.emplace(train_.size(), block_, options_.seed);
  const auto length = static_cast<uint32_t>(std::min<uint64_t>(block_, std::numeric_limits<uint16_t>::max()));
  batches_ = std::make_unique<ExampleBatches>(
      std::vector<uint32_t>(blocks_->count(), length), options_.batch_size, 0, options_.seed,
      [this](uint64_t epoch, std::span<const uint32_t> blocks) { return make_batch(epoch, blocks); });
  report_ = fmt::format("{}; {} blocks of {}; {} held out", described(train_), blocks_->count(), block_,
                        text.valid ? described(valid_) : "nothing");
}

void LanguageModelTraining::start(const data::TextSource& text) {
  started_ = start_model(options_.start, {}, pieces_of(text));
  model_ = model_as<models::CausalModel>(started_);
  check<UsageError>(tokenizer().vocab_size() <= model_->vocab_size(), "the tokenizer has {} tokens, the model only {}",
                    tokenizer().vocab_size(), model_->vocab_size());
  const auto positions = static_cast<uint32_t>(model_->max_length());
  block_ = options_.block > 0 ? options_.block : std::min(options_.usual_block, positions);
  check<UsageError>(block_ <= positions, "--block is {}; the model has {} positions", block_, positions);
  if (options_.start.init.empty() && options_.start.resume.empty())
    model_->set_generation_config(generation_config(tokenizer()));
}

std::unique_ptr<TrainingBatch> LanguageModelTraining::make_batch(uint64_t epoch,
                                                                 std::span<const uint32_t> blocks) const {
  auto batch = std::make_unique<Blocks>();
  std::vector<int32_t> ids;
  for (const uint32_t block : blocks) {
    uint32_t part_number = 0;
    for (const auto& part : blocks_->parts(epoch, block)) {
      ids.clear();
      train_.append_to(ids, part.begin, part.end + 1);
      batch->text.ids.append(std::span(ids).first(ids.size() - 1));
      batch->text.examples.push_back(2 * block + part_number++);
      batch->wanted.insert(batch->wanted.end(), ids.begin() + 1, ids.end());
    }
  }
  batch->place = "blocks" + describe_examples(blocks).substr(std::string_view("examples").size());
  return batch;
}

BatchLoss LanguageModelTraining::loss(const TrainingBatch& batch, const nn::Pass& pass, double divisor) const {
  const auto& b = static_cast<const Blocks&>(batch);
  ops::CrossEntropyResult result = model_->loss(b.text, b.wanted, {0, divisor, pass});
  return {std::move(result.loss), result.loss_sum};
}

std::optional<ValidationResult> LanguageModelTraining::validate(const StopFlag& stop) {
  const auto found = stream_perplexity(*model_, valid_, {block_, block_}, stop);
  if (!found) return std::nullopt;
  ValidationResult result;
  result.metrics = {{"loss", found->loss()},
                    {"perplexity", found->perplexity()},
                    {"bits_per_byte", found->bits_per_byte(valid_.counts().bytes)}};
  result.score = -found->loss();
  return result;
}

Json LanguageModelTraining::identity() const {
  Json json = identity_of(options_.start);
  json["train"] = fmt::format("{} tokens, {} bytes", train_.size(), train_.counts().bytes);
  json["end-token"] = options_.end_token;
  json["block"] = block_;
  json[batches_->option()] = batches_->size();
  return json;
}

}  // namespace heed::tasks
