// Training of a translation model from parallel text, as the training loop sees it: a new one (Marian), or any
// encoder-decoder of a folder, goes on. The text becomes ids and batches, the model predicts each target token from
// those before it (teacher forcing, label smoothing), and held-out text tells by loss, perplexity and BLEU how good it
// is.
//
// Reading the text, training the tokenizer and encoding happen in the constructor.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "heed/data/batches.h"
#include "heed/data/encoded_corpus.h"
#include "heed/models/encoder_decoder.h"
#include "heed/tasks/training_task.h"
#include "heed/tasks/translation.h"
#include "heed/tasks/tuning.h"
#include "heed/text/marian_tokenizer.h"

namespace heed::tasks {

// Two files of one sentence a line, or one file of source<TAB>target; plain, gzip or zstd.
struct ParallelFiles {
  std::string source, target;
  std::string tsv;
  bool given() const { return !source.empty() || !target.empty() || !tsv.empty(); }
};

// The tokenizer that a new model gets: trained on the training text, or an existing one.
struct TranslationTokenizerOptions {
  std::filesystem::path folder;  // with the tokenizer's files; empty: trained
  int vocab_size = 8000;         // of pieces, the padding not counted
  bool exact_size = false;       // a text too small for that many is an error; else it gets as many as it can fill
  bool bpe = false;              // instead of the unigram model
  bool separate = false;         // a vocabulary for each language
  double character_coverage = 1;
  std::string source_language, target_language;  // as tokenizer_config.json names them
};

struct TranslationTrainingOptions {
  ParallelFiles train, valid;
  TranslationTokenizerOptions tokenizer;
  models::EncoderDecoderConfig structure;  // of a new model; vocabularies and special ids are set here
  std::filesystem::path init;              // a model folder to begin with, tokenizer and structure included
  std::optional<std::string> prefix;       // before every source; not given: what the model's folder says of the task
  Tuning tuning;                           // of `init`
  std::optional<float> dropout, attention_dropout, activation_dropout;  // in place of what `init` has
  std::filesystem::path resume;  // a training's output to go on with: tokenizer and structure are as they are there

  uint64_t seed = 1;  // of initial values, shuffling and subword sampling
  int threads = 1;    // of encoding and translating
  uint32_t batch_tokens = 12000;
  uint32_t batch_pairs = 0;  // at most so many in a batch; 0: any number
  uint32_t max_length = 0;   // tokens of a side; 0: as many as the model has positions
  bool crop = false;         // cut longer sides instead of dropping the pair
  double max_length_ratio = 0;
  uint64_t memory_budget = uint64_t{1} << 30;  // bytes for the encoded text
  double subword_sampling = 0;                 // alpha; 0: none
  float label_smoothing = 0.1f;

  int valid_beam = 1;
  bool valid_bleu = true;  // false: models are chosen by the loss alone
};

class TranslationBatches;

class TranslationTraining final : public TrainingTask {
 public:
  // Throws UsageError for options that contradict each other, and what reading, tokenizer and model throw.
  explicit TranslationTraining(TranslationTrainingOptions options);
  ~TranslationTraining() override;

  nn::ParameterStore& parameters() override { return model_->parameters(); }
  std::string report() const override;
  TrainingBatches& batches() const override;
  BatchLoss loss(const TrainingBatch& batch, const nn::Pass& pass, double divisor) const override;
  bool has_validation() const override { return !valid_order_.empty(); }
  std::optional<ValidationResult> validate(const StopFlag& stop) override;
  io::ModelContent content() override;
  Json identity() const override;

  const models::Seq2SeqModel& model() const { return *model_; }
  const text::Tokenizer& tokenizer() const { return *tokenizer_; }
  const data::EncodedCorpus& corpus() const { return *corpus_; }
  data::PlanReport plan() const;  // of the first epoch's batches

 private:
  void make_tokenizer();
  void make_model();
  void load_model(const std::filesystem::path& folder);
  void choose_prefix();
  void override_dropout();
  void encode();
  void read_validation();
  bool validation_loss(const StopFlag& stop, double& loss) const;
  bool validation_bleu(const StopFlag& stop, double& bleu, double& chrf) const;

  const TranslationTrainingOptions options_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  std::shared_ptr<const text::MarianTokenizer> marian_;  // the same, if it is one
  std::function<void(const std::filesystem::path& folder)> save_tokenizer_;
  std::string prefix_;
  std::shared_ptr<models::Seq2SeqModel> model_;
  std::shared_ptr<models::Lora> lora_;
  Json config_;
  std::optional<Json> generation_config_;
  std::unique_ptr<data::EncodedCorpus> corpus_;
  std::unique_ptr<TranslationBatches> batches_;

  std::vector<std::string> valid_source_, valid_target_;
  std::vector<std::vector<int32_t>> valid_source_ids_, valid_target_ids_;
  std::vector<size_t> valid_order_;  // lines that count, by length
};

}  // namespace heed::tasks
