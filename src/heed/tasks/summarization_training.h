// Training of a summariser: an encoder-decoder (BART, T5, Marian) that writes the summary of a document, judged by the
// loss and by ROUGE of what it writes of held-out documents.
//
// Documents and summaries that are too long are cut, which is counted. Reading and encoding happen in the constructor.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "heed/metrics/rouge.h"
#include "heed/tasks/example_batches.h"
#include "heed/tasks/model_start.h"
#include "heed/tasks/summary_examples.h"
#include "heed/tasks/translation.h"

namespace heed::tasks {

struct SummarizationTrainingOptions {
  ModelStart start;
  std::filesystem::path train, valid;
  double valid_fraction = 0;  // of the training examples, the last ones, if there is no `valid`
  SummaryColumns columns;
  uint64_t max_examples = 0;          // of training; 0: all
  std::optional<std::string> prefix;  // before every document; not given: what the model's folder says of the task

  uint64_t seed = 1;
  int threads = 1;                   // of encoding and summarising
  uint64_t batch_tokens = 4096;      // of documents and summaries together
  uint64_t max_source_length = 512;  // tokens of a document; at most the model's positions
  uint64_t max_target_length = 128;  // tokens of a summary; likewise
  float label_smoothing = 0.1f;

  uint64_t valid_summaries = 200;  // written at each validation; 0: of all held-out documents
  int valid_beam = 1;
};

class SummarizationTraining final : public TrainingTask {
 public:
  explicit SummarizationTraining(SummarizationTrainingOptions options);

  nn::ParameterStore& parameters() override { return model_->parameters(); }
  TrainingBatches& batches() const override { return *batches_; }
  BatchLoss loss(const TrainingBatch& batch, const nn::Pass& pass, double divisor) const override;
  bool has_validation() const override { return !valid_.source.empty(); }
  std::optional<ValidationResult> validate(const StopFlag& stop) override;
  io::ModelContent content() override { return started_.content(); }
  Json identity() const override;

  std::string report() const override { return report_; }

 private:
  struct Pairs {
    std::vector<std::vector<int32_t>> source, target;
    std::vector<std::string> places;
  };

  void start(const SummaryExamples& texts);
  Pairs encode(const SummaryExamples& texts, uint64_t& cut) const;
  bool validation_loss(const StopFlag& stop, double& loss) const;
  std::optional<metrics::RougeScores> validation_rouge(const StopFlag& stop) const;

  SummarizationTrainingOptions options_;
  std::string prefix_;
  StartedModel started_;
  std::shared_ptr<models::Seq2SeqModel> model_;
  Pairs train_, valid_;
  SummaryExamples valid_texts_;
  std::unique_ptr<ExampleBatches> batches_;
  std::string report_;
};

}  // namespace heed::tasks
