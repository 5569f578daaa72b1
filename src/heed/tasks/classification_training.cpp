#include "heed/tasks/classification_training.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "heed/tasks/classification.h"
#include "heed/tasks/held_out.h"

namespace heed::tasks {
namespace {

constexpr size_t kValidationBatch = 64;

// Weights that make every class count as much as any other, their mean over the examples being 1: scikit-learn's
// "balanced". A class below 0 is unknown.
std::vector<float> balancing_weights(const std::vector<int32_t>& classes, size_t labels) {
  std::vector<double> counts(labels);
  for (const int32_t c : classes)
    if (c >= 0) counts[static_cast<size_t>(c)] += 1;
  const auto used = static_cast<double>(std::count_if(counts.begin(), counts.end(), [](double n) { return n > 0; }));
  const double labelled = std::accumulate(counts.begin(), counts.end(), 0.0);
  std::vector<float> weights;
  weights.reserve(counts.size());
  for (const double n : counts) weights.push_back(n > 0 ? static_cast<float>(labelled / (used * n)) : 0);
  return weights;
}

// Keeps the examples [begin, end).
ClassificationExamples part_of(const ClassificationExamples& all, size_t begin, size_t end) {
  const auto cut = [&](const auto& from) {
    using Vector = std::decay_t<decltype(from)>;
    if (from.empty()) return Vector();
    return Vector(from.begin() + static_cast<ptrdiff_t>(begin), from.begin() + static_cast<ptrdiff_t>(end));
  };
  return {cut(all.first),  cut(all.second), cut(all.labels), cut(all.shares),
          cut(all.places), all.has_lists,   all.has_shares};
}

}  // namespace

ClassificationTraining::ClassificationTraining(ClassificationTrainingOptions options)
    : EncoderTraining(options), options_(std::move(options)) {
  ClassificationExamples train = read_classification_examples(options_.train, options_.columns, options_.max_examples);
  const size_t kept =
      kept_for_training(train.size(), "examples", options_.train, options_.valid, options_.valid_fraction);
  ClassificationExamples valid;
  if (!options_.valid.empty()) {
    valid = read_classification_examples(options_.valid, options_.columns, 0);
    check<DataError>(valid.pairs() == train.pairs(), "{}: {} texts, where {} has {}", options_.valid.string(),
                     valid.pairs() ? "pairs of" : "single", options_.train.string(),
                     train.pairs() ? "pairs" : "single ones");
  } else if (kept < train.size()) {
    valid = part_of(train, kept, train.size());
    train = part_of(train, 0, kept);
  }
  models::NewModel wanted;
  wanted.head = models::Head::kSequenceClassification;
  wanted.problem = options_.problem.value_or(guess_problem(train));
  const bool regression = wanted.problem == models::Problem::kRegression;
  wanted.labels = regression ? std::vector<std::string>{"value"}
                             : labels_for(options_.start, "ForSequenceClassification", labels_in(train));
  check<DataError>(!wanted.labels.empty(), "{}: no example has a label", options_.train.string());
  check<DataError>(regression || wanted.labels.size() > 1, "{}: the only label is \"{}\"; expected two or more",
                   options_.train.string(), wanted.labels.front());
  check<UsageError>(options_.label_smoothing == 0 || wanted.problem == models::Problem::kSingleLabel,
                    "--label-smoothing is for examples of one label");
  check_shares(train);
  check_teachers(options_.teachers, wanted.problem);
  append_unlabelled(options_.teachers, options_.columns, train);
  start(wanted, [&](const auto& piece) {
    for (const auto* side : {&train.first, &train.second})
      for (const std::string& text : *side) piece(text);
  });
  word_dropout_ = WordDropout(options_.word_dropout, options_.seed, tokenizer());
  uint64_t cut = 0, unused = 0;
  train_ = encode(train, cut);
  valid_ = encode(valid, unused);
  if (options_.class_weights) {
    check<UsageError>(wanted.problem == models::Problem::kSingleLabel, "--class-weights is for examples of one label");
    weights_ = balancing_weights(train_.answers.classes, wanted.labels.size());
  }
  if (train.has_shares) label_weight_ = 0;
  if (!options_.teachers.folders.empty()) learn_from_teachers(train);
  std::vector<uint32_t> lengths;
  for (const auto& tokens : train_.tokens) lengths.push_back(static_cast<uint32_t>(tokens.ids.size()));
  set_examples(lengths, fmt::format("{} examples, {} tokens, {} cut to {}; {} labels; {} unlabelled, {} held out",
                                    lengths.size(), std::accumulate(lengths.begin(), lengths.end(), uint64_t{0}), cut,
                                    max_length(), regression ? "no" : std::to_string(wanted.labels.size()),
                                    train.unlabelled, valid.size()));
}

// What is told of one label each has no meaning where labels share an example.
void ClassificationTraining::check_shares(const ClassificationExamples& train) const {
  if (!train.has_shares) return;
  constexpr const char* kMessage = "{} is for examples of one label each, without shares";
  check<UsageError>(options_.label_smoothing == 0, kMessage, "--label-smoothing");
  check<UsageError>(!options_.class_weights, kMessage, "--class-weights");
  check<UsageError>(options_.teachers.softening() == 1, kMessage, "--temperature");
}

ClassificationTraining::Examples ClassificationTraining::encode(const ClassificationExamples& texts,
                                                                uint64_t& cut) const {
  Examples result;
  result.tokens = tokens_of(texts, tokenizer(), max_length(), cut);
  result.answers = answers_of(texts, model().problem(), model().labels());
  result.places = texts.places;
  return result;
}

void ClassificationTraining::learn_from_teachers(const ClassificationExamples& texts) {
  std::vector<float>& values = train_.answers.values;
  const size_t labels = model().labels().size(), labelled = texts.size() - texts.unlabelled;
  std::vector<float> said = teacher_outputs(options_.teachers, texts, model().problem(), model().labels());
  for (size_t i = 0; i < said.size(); ++i) {
    const auto weight = static_cast<float>(i / labels < labelled ? options_.teachers.share() : 1);
    said[i] *= weight;
    if (!values.empty()) said[i] += (1 - weight) * values[i];
  }
  if (values.empty()) label_weight_ = static_cast<float>(1 - options_.teachers.share());
  values = std::move(said);
}

models::Targets ClassificationTraining::targets_of(std::span<const uint32_t> examples) const {
  const size_t width = model().labels().size();
  const auto rows_of_values = [&] {
    std::vector<float> values;
    for (const uint32_t i : examples) {
      const auto row = std::span(train_.answers.values).subspan(i * width, width);
      values.insert(values.end(), row.begin(), row.end());
    }
    return Tensor::from(values, {static_cast<int64_t>(examples.size()), static_cast<int64_t>(width)});
  };
  models::Targets wanted;
  if (model().problem() != models::Problem::kSingleLabel) {
    wanted.values = rows_of_values();
    return wanted;
  }
  for (const uint32_t i : examples) wanted.classes.push_back(train_.answers.classes[i]);
  if (!weights_.empty())
    for (const int32_t c : wanted.classes) wanted.weights.push_back(c < 0 ? 0 : weights_[static_cast<size_t>(c)]);
  if (!train_.answers.values.empty()) {
    wanted.shares = rows_of_values();
    wanted.temperature = options_.teachers.softening();
    wanted.weights.resize(examples.size(), 1);
    for (float& weight : wanted.weights) weight *= label_weight_;
  }
  return wanted;
}

std::unique_ptr<EncoderBatch> ClassificationTraining::make_batch(uint64_t epoch,
                                                                 std::span<const uint32_t> examples) const {
  auto batch = std::make_unique<EncoderBatch>();
  for (const uint32_t i : examples) {
    const text::TokenizedText& tokens = train_.tokens[i];
    batch->texts.ids.append(word_dropout_.ids(tokens, 0, tokens.ids.size(), epoch, i));
    batch->texts.types.insert(batch->texts.types.end(), tokens.types.begin(), tokens.types.end());
  }
  batch->texts.examples.assign(examples.begin(), examples.end());
  batch->wanted = targets_of(examples);
  batch->count = static_cast<int64_t>(examples.size());
  batch->place = describe_examples(examples, [this](uint32_t i) { return train_.places[i]; });
  return batch;
}

BatchLoss ClassificationTraining::loss(const TrainingBatch& batch, const nn::Pass& pass, double divisor) const {
  if (model().problem() == models::Problem::kSingleLabel) return EncoderTraining::loss(batch, pass, divisor);
  const auto numbers = static_cast<double>(model().labels().size());
  BatchLoss mean = EncoderTraining::loss(batch, pass, divisor * numbers);
  mean.loss_sum = mean.loss_sum * (1 / numbers);
  return mean;
}

std::optional<ValidationResult> ClassificationTraining::validate(const StopFlag& stop) {
  if (stop()) return std::nullopt;
  const models::Problem problem = model().problem();
  const auto outputs = TextClassifier{trained()}.scores(valid_.tokens, scores_of(problem), kValidationBatch);
  return classification_validation(problem, valid_.answers, outputs);
}

Json ClassificationTraining::identity() const {
  Json json = EncoderTraining::identity();
  json["train"] = fmt::format("{} examples of {}", train_.tokens.size(), fmt::join(model().labels(), ", "));
  json["class-weights"] = options_.class_weights;
  json["word-dropout"] = options_.word_dropout;
  if (!options_.teachers.folders.empty()) {
    for (const auto& folder : options_.teachers.folders) json["teacher"].push_back(folder.string());
    json["teacher-weight"] = options_.teachers.share();
    json["temperature"] = options_.teachers.softening();
  }
  return json;
}

}  // namespace heed::tasks
