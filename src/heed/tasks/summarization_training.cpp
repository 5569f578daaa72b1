#include "heed/tasks/summarization_training.h"

#include <algorithm>
#include <atomic>
#include <numeric>

#include "heed/autograd/autograd.h"
#include "heed/base/threads.h"
#include "heed/tasks/held_out.h"

namespace heed::tasks {
namespace {

constexpr const char* kTask = "summarization";

struct SummaryBatch final : TrainingBatch {
  models::Seq2SeqBatch pairs;
  std::string place;

  int64_t targets() const override { return pairs.target.tokens(); }
  std::string describe() const override { return place; }
};

// Takes tokens off the text's end until `most` are left; the end token stays.
bool cut_to(std::vector<int32_t>& ids, size_t most) {
  if (ids.size() <= most) return false;
  ids[most - 1] = ids.back();
  ids.resize(most);
  return true;
}

// Keeps the examples [begin, end).
SummaryExamples part_of(const SummaryExamples& all, size_t begin, size_t end) {
  const auto cut = [&](const auto& from) {
    using Vector = std::decay_t<decltype(from)>;
    return Vector(from.begin() + static_cast<ptrdiff_t>(begin), from.begin() + static_cast<ptrdiff_t>(end));
  };
  return {cut(all.documents), cut(all.summaries), cut(all.places)};
}

// What the model's folder says of the task, if anything.
std::optional<TaskParameters> known_task(const Json& config) {
  for (TaskParameters& task : task_parameters(config))
    if (task.name == kTask) return std::move(task);
  return std::nullopt;
}

}  // namespace

SummarizationTraining::SummarizationTraining(SummarizationTrainingOptions options) : options_(std::move(options)) {
  SummaryExamples train = read_summary_examples(options_.train, options_.columns, options_.max_examples);
  const size_t kept =
      kept_for_training(train.size(), "examples", options_.train, options_.valid, options_.valid_fraction);
  if (!options_.valid.empty()) {
    valid_texts_ = read_summary_examples(options_.valid, options_.columns, 0);
  } else if (kept < train.size()) {
    valid_texts_ = part_of(train, kept, train.size());
    train = part_of(train, 0, kept);
  }
  start(train);
  uint64_t cut = 0, unused = 0;
  train_ = encode(train, cut);
  valid_ = encode(valid_texts_, unused);
  std::vector<uint32_t> lengths;
  for (size_t i = 0; i < train_.source.size(); ++i)
    lengths.push_back(static_cast<uint32_t>(train_.source[i].size() + train_.target[i].size()));
  batches_ = std::make_unique<ExampleBatches>(lengths, 0, static_cast<uint32_t>(options_.batch_tokens), options_.seed,
                                              [this](uint64_t, std::span<const uint32_t> examples) {
                                                auto batch = std::make_unique<SummaryBatch>();
                                                for (const uint32_t i : examples) {
                                                  batch->pairs.source.append(train_.source[i]);
                                                  batch->pairs.target.append(train_.target[i]);
                                                }
                                                batch->pairs.examples.assign(examples.begin(), examples.end());
                                                batch->place = describe_examples(
                                                    examples, [this](uint32_t i) { return train_.places[i]; });
                                                return batch;
                                              });
  report_ = fmt::format("{} examples, {} tokens, {} texts cut; {} held out", lengths.size(),
                        std::accumulate(lengths.begin(), lengths.end(), uint64_t{0}), cut, valid_texts_.size());
}

void SummarizationTraining::start(const SummaryExamples& texts) {
  started_ = start_model(options_.start, {}, [&](const auto& piece) {
    for (size_t i = 0; i < texts.size(); ++i) {
      piece(texts.documents[i]);
      for (const std::string& summary : texts.summaries[i]) piece(summary);
    }
  });
  model_ = model_as<models::Seq2SeqModel>(started_);
  const int32_t tokens = started_.tokenizer->vocab_size();
  check<UsageError>(tokens <= model_->vocab_size(), "the tokenizer has {} tokens, the model only {}", tokens,
                    model_->vocab_size());
  const auto positions = static_cast<uint32_t>(model_->max_length());
  options_.max_source_length = std::min<uint64_t>(options_.max_source_length, positions);
  options_.max_target_length = std::min<uint64_t>(options_.max_target_length, positions);
  check<UsageError>(options_.max_source_length >= 2 && options_.max_target_length >= 2,
                    "--max-source-length and --max-target-length: at least 2 tokens are needed");
  const auto known = known_task(model_->config());
  prefix_ = options_.prefix.value_or(known ? known->prefix : "");
  if (known && !options_.prefix) return;
  // So that `heed summarize` does as the training did.
  Json config = model_->config();
  Json& task = config["task_specific_params"][kTask];
  task["prefix"] = prefix_;
  if (!known) task["max_length"] = options_.max_target_length;
  model_->set_config(std::move(config));
}

SummarizationTraining::Pairs SummarizationTraining::encode(const SummaryExamples& texts, uint64_t& cut) const {
  Pairs pairs;
  pairs.source.resize(texts.size());
  pairs.target.resize(texts.size());
  pairs.places = texts.places;
  std::atomic<uint64_t> shortened = 0;
  const text::Tokenizer& tokenizer = *started_.tokenizer;
  parallel_for(static_cast<int64_t>(texts.size()), 16, [&](int64_t begin, int64_t end, int) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      pairs.source[i] = tokenizer.encode(prefix_ + texts.documents[i]);
      pairs.target[i] = tokenizer.encode_target(texts.summaries[i].front());
      shortened += cut_to(pairs.source[i], options_.max_source_length);
      shortened += cut_to(pairs.target[i], options_.max_target_length);
    }
  });
  for (size_t i = 0; i < texts.size(); ++i)
    check<DataError>(!pairs.source[i].empty() && !pairs.target[i].empty(), "{}: the text has no tokens",
                     texts.places[i]);
  cut = shortened;
  return pairs;
}

BatchLoss SummarizationTraining::loss(const TrainingBatch& batch, const nn::Pass& pass, double divisor) const {
  const auto& pairs = static_cast<const SummaryBatch&>(batch).pairs;
  ops::CrossEntropyResult result = model_->loss(pairs, {options_.label_smoothing, divisor, pass});
  return {std::move(result.loss), result.loss_sum};
}

// Per target token, without label smoothing. False if stopped.
bool SummarizationTraining::validation_loss(const StopFlag& stop, double& loss) const {
  const NoGrad no_grad;
  double sum = 0;
  int64_t tokens = 0;
  for (size_t next = 0; next < valid_.source.size();) {
    if (stop()) return false;
    models::Seq2SeqBatch batch;
    while (next < valid_.source.size() && batch.source.tokens() < static_cast<int64_t>(options_.batch_tokens)) {
      batch.source.append(valid_.source[next]);
      batch.target.append(valid_.target[next++]);
    }
    const auto found = model_->loss(batch, {0, 1, {}});
    sum += found.nll_sum;
    tokens += found.tokens;
  }
  loss = sum / static_cast<double>(tokens);
  return true;
}

std::optional<metrics::RougeScores> SummarizationTraining::validation_rouge(const StopFlag& stop) const {
  const size_t count = options_.valid_summaries > 0 ? std::min<size_t>(options_.valid_summaries, valid_texts_.size())
                                                    : valid_texts_.size();
  const SummaryExamples texts = part_of(valid_texts_, 0, count);
  TranslateOptions options;
  options.decode = generation_defaults(*model_);
  options.decode.beam = options_.valid_beam;
  options.decode.n_best = 1;
  options.decode.max_new_tokens = static_cast<int>(options_.max_target_length) - 1;
  options.source = {prefix_, options_.max_source_length, false};
  options.workers = options_.threads;
  std::vector<std::string> summaries;
  size_t read = 0;
  translate_stream(
      {model_, started_.tokenizer}, options,
      [&]() -> std::optional<std::string> {
        if (read == count || stop()) return std::nullopt;
        return texts.documents[read++];
      },
      [&](std::vector<Translation>&& found) { summaries.push_back(std::move(found.at(0).text)); });
  if (summaries.size() < count) return std::nullopt;
  return metrics::corpus_rouge(summaries, texts.summaries);
}

std::optional<ValidationResult> SummarizationTraining::validate(const StopFlag& stop) {
  double loss = 0;
  if (!validation_loss(stop, loss)) return std::nullopt;
  const auto rouge = validation_rouge(stop);
  if (!rouge) return std::nullopt;
  ValidationResult result;
  result.metrics = {{"loss", loss},
                    {"rouge1", 100 * rouge->rouge1.f},
                    {"rouge2", 100 * rouge->rouge2.f},
                    {"rougeL", 100 * rouge->rouge_l.f}};
  result.score = rouge->rouge_l.f;
  return result;
}

Json SummarizationTraining::identity() const {
  Json json = identity_of(options_.start);
  json["train"] = fmt::format("{} examples", train_.source.size());
  json["prefix"] = prefix_;
  json[batches_->option()] = batches_->size();
  json["max-source-length"] = options_.max_source_length;
  json["max-target-length"] = options_.max_target_length;
  json["label-smoothing"] = options_.label_smoothing;
  return json;
}

}  // namespace heed::tasks
