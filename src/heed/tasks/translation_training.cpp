#include "heed/tasks/translation_training.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>

#include "heed/autograd/autograd.h"
#include "heed/base/log.h"
#include "heed/metrics/bleu.h"
#include "heed/metrics/chrf.h"
#include "heed/models/marian.h"
#include "heed/models/registry.h"
#include "heed/models/weights.h"
#include "heed/tasks/generation_defaults.h"
#include "heed/tasks/model_start.h"
#include "heed/tensor/backends.h"
#include "heed/text/sentencepiece_trainer.h"

namespace heed::tasks {
namespace fs = std::filesystem;
namespace {

struct TranslationBatch final : TrainingBatch {
  explicit TranslationBatch(data::ParallelBatch batch) : lines(std::move(batch.lines)) {
    pairs.source = std::move(batch.source);
    pairs.target = std::move(batch.target);
    pairs.examples.assign(lines.begin(), lines.end());
  }

  models::Seq2SeqBatch pairs;
  std::vector<uint64_t> lines;

  int64_t targets() const override { return pairs.target.tokens(); }
  std::string describe() const override {
    constexpr size_t kShown = 8;
    std::string text = "lines";
    for (size_t i = 0; i < std::min(kShown, lines.size()); ++i) text += fmt::format(" {}", lines[i] + 1);
    return lines.size() > kShown ? fmt::format("{} and {} more", text, lines.size() - kShown) : text;
  }
};

// The corpus' batches through data::Prefetcher.
class TranslationStream final : public BatchStream {
 public:
  TranslationStream(const data::ParallelBatches& batches, data::Cursor start, size_t ahead)
      : prefetcher_(data::source_of(batches), start, ahead) {}

  StreamedBatch next() override {
    data::PreparedBatch prepared = prefetcher_.next();
    return {prepared.cursor, prepared.last_in_epoch, std::make_unique<TranslationBatch>(std::move(prepared.batch))};
  }

 private:
  data::Prefetcher prefetcher_;
};

// Before anything is read: the tokenizer's trainer would fail on a file without a name.
void check_files(const ParallelFiles& files, const char* prefix) {
  check<UsageError>(files.tsv.empty() || (files.source.empty() && files.target.empty()),
                    "give --{0}tsv, or --{0}source and --{0}target, not both", prefix);
  check<UsageError>(!files.tsv.empty() || (!files.source.empty() && !files.target.empty()),
                    "parallel text needs --{0}source and --{0}target, or --{0}tsv", prefix);
}

data::ParallelCorpus read_corpus(const ParallelFiles& files) {
  if (!files.tsv.empty()) return data::ParallelCorpus::from_tsv(files.tsv);
  return data::ParallelCorpus::from_files(files.source, files.target);
}

// A text file that vanishes with the object.
class ScratchFile {
 public:
  explicit ScratchFile(const std::string& name)
      : path_(data::default_scratch_folder() / fmt::format("heed-{}-{}", ::getpid(), name)) {}
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// The two sides of a TSV as files of their own, which the tokenizer's trainer reads.
void split_sides(const data::ParallelCorpus& corpus, const fs::path& source, const fs::path& target) {
  std::ofstream a(source, std::ios::binary), b(target, std::ios::binary);
  for (uint64_t i = 0; i < corpus.size(); ++i) {
    const data::TextPair pair = corpus.pair(i);
    a << pair.source << '\n';
    b << pair.target << '\n';
  }
  a.close();
  b.close();
  check<IoError>(a.good() && b.good(), "{}: the text for the tokenizer could not be written", source.string());
}

std::string train_pieces(const std::vector<fs::path>& inputs, const TranslationTokenizerOptions& o, uint64_t seed) {
  text::SentencePieceTrainOptions options;
  options.model_type = o.bpe ? text::SegmentationType::kBpe : text::SegmentationType::kUnigram;
  options.vocab_size = o.vocab_size;
  options.hard_vocab_limit = o.exact_size;
  options.character_coverage = o.character_coverage;
  options.seed = seed;
  text::SentencePieceTrainResult result = text::train_sentencepiece(inputs, options);
  if (result.too_long + result.reserved > 0)
    log().warn("tokenizer: {} lines too long and {} with reserved characters were not used of {}", result.too_long,
               result.reserved, result.lines);
  return std::move(result.model);
}

text::MarianTokenizer train_tokenizer(const TranslationTrainingOptions& o) {
  fs::path source = o.train.source, target = o.train.target;
  const ScratchFile source_side("source"), target_side("target");
  if (!o.train.tsv.empty()) {
    split_sides(read_corpus(o.train), source_side.path(), target_side.path());
    source = source_side.path();
    target = target_side.path();
  }
  const text::MarianLanguages languages{o.tokenizer.source_language, o.tokenizer.target_language};
  if (o.tokenizer.separate)
    return text::MarianTokenizer::create_separate(train_pieces({source}, o.tokenizer, o.seed),
                                                  train_pieces({target}, o.tokenizer, o.seed), languages);
  return text::MarianTokenizer::create_joint(train_pieces({source, target}, o.tokenizer, o.seed), languages);
}

// `key` as Marian's and BART's configurations have it; T5's have one rate for all places.
void set_dropout(Json& config, const std::string& key, const std::optional<float>& rate) {
  if (!rate) return;
  const bool one_rate = config.contains("dropout_rate");
  check<UsageError>(!one_rate || key == "dropout", "this model has one rate of dropout for all places: --dropout");
  // By way of text: as a double 0.1f would be 0.10000000149.
  config[one_rate ? "dropout_rate" : key] = std::stod(fmt::format("{}", *rate));
}

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\r\n\v\f") == std::string::npos; }

}  // namespace

class TranslationBatches final : public TrainingBatches {
 public:
  TranslationBatches(const data::EncodedCorpus& corpus, const data::BatchOptions& options)
      : batches_(corpus, options) {}

  uint64_t count(uint64_t epoch) const override { return batches_.batches(epoch); }
  std::unique_ptr<BatchStream> stream(data::Cursor start, size_t ahead) const override {
    return std::make_unique<TranslationStream>(batches_, start, ahead);
  }
  const char* option() const override { return "batch-tokens"; }
  uint32_t size() const override { return batches_.plans().max_tokens(); }
  void resize(uint32_t size) override { batches_.plans().set_max_tokens(size); }
  void keep_order() override { batches_.plans().keep_order(); }
  std::unique_ptr<TrainingBatch> heaviest() const override {
    return std::make_unique<TranslationBatch>(batches_.batch(0, batches_.plan(0)->heaviest()));
  }
  data::PlanReport report() const { return batches_.plan(0)->report(); }

 private:
  data::ParallelBatches batches_;
};

TranslationTraining::~TranslationTraining() = default;

TranslationTraining::TranslationTraining(TranslationTrainingOptions options) : options_(std::move(options)) {
  check_files(options_.train, "");
  if (options_.valid.given()) check_files(options_.valid, "valid-");
  check<UsageError>(options_.batch_tokens > 0, "--batch-tokens is 0");
  check<UsageError>(options_.label_smoothing >= 0 && options_.label_smoothing < 1,
                    "--label-smoothing is {}; it lies in [0, 1)", options_.label_smoothing);
  make_tokenizer();
  make_model();
  encode();
  if (options_.valid.given()) read_validation();
}

void TranslationTraining::make_tokenizer() {
  const fs::path folder = !options_.resume.empty()             ? options_.resume
                          : !options_.tokenizer.folder.empty() ? options_.tokenizer.folder
                                                               : options_.init;
  if (folder.empty() || text::MarianTokenizer::is_in(folder)) {
    marian_ = std::make_shared<text::MarianTokenizer>(folder.empty() ? train_tokenizer(options_)
                                                                     : text::MarianTokenizer::load(folder));
    tokenizer_ = marian_;
    save_tokenizer_ = [marian = marian_](const fs::path& to) { marian->save(to); };
    return;
  }
  check<UsageError>(!options_.init.empty(), "{}: no Marian tokenizer, which a new model needs", folder.string());
  check<UsageError>(options_.subword_sampling == 0,
                    "--subword-sampling: only Marian's tokenizers can draw segmentations");
  FolderTokenizer loaded = tokenizer_of(folder);
  tokenizer_ = std::move(loaded.tokenizer);
  save_tokenizer_ = std::move(loaded.save);
}

void TranslationTraining::make_model() {
  if (!options_.init.empty()) {
    load_model(options_.resume.empty() ? options_.init : options_.resume);
  } else {
    models::EncoderDecoderConfig structure = options_.structure;
    structure.vocab_size = marian_->source_vocab_size();
    structure.decoder_vocab_size = marian_->target_vocab_size();
    structure.pad_id = structure.decoder_start_id = tokenizer_->pad_id();
    structure.eos_id = tokenizer_->eos_id();
    // Vocabularies of their own have embeddings of their own, whatever their sizes.
    if (marian_->separate_vocabs()) structure.share_embeddings = false;
    model_ = std::make_shared<models::MarianModel>(structure, options_.seed);
  }
  config_ = model_->config();
  generation_config_ = model_->generation_config();
  choose_prefix();
  if (options_.init.empty()) return;
  override_dropout();
  lora_ = tune(*model_, options_.tuning, {}, options_.seed);
}

// What `heed translate` is to set before the sources stands in the configuration.
void TranslationTraining::choose_prefix() {
  constexpr const char* kTask = "translation";
  for (const TaskParameters& task : task_parameters(config_))
    if (task.name == kTask) prefix_ = task.prefix;
  if (!options_.prefix || *options_.prefix == prefix_) return;
  prefix_ = *options_.prefix;
  config_["task_specific_params"][kTask]["prefix"] = prefix_;
}

void TranslationTraining::load_model(const fs::path& folder) {
  model_ = models::load_seq2seq(io::ModelFolder::open(folder));
  const int target_size = tokenizer_->vocab_size();
  check<UsageError>(target_size <= model_->vocab_size(), "{}: the tokenizer has {} target tokens, the model only {}",
                    folder.string(), target_size, model_->vocab_size());
}

// Dropout is fixed when a model is built: builds it again with other rates and takes over the parameters.
void TranslationTraining::override_dropout() {
  if (!options_.dropout && !options_.attention_dropout && !options_.activation_dropout) return;
  set_dropout(config_, "dropout", options_.dropout);
  set_dropout(config_, "attention_dropout", options_.attention_dropout);
  set_dropout(config_, "activation_dropout", options_.activation_dropout);
  const std::string file = (options_.init / "config.json").string();
  std::shared_ptr<models::Model> model = models::make_model(config_, file, std::nullopt);
  const auto& from = model_->parameters().named();
  const auto& to = model->parameters().named();
  for (size_t i = 0; i < from.size(); ++i) backend().copy(from[i].tensor.view(), to[i].tensor.view());
  model->parameters().values_changed();
  model_ = std::dynamic_pointer_cast<models::Seq2SeqModel>(model);
}

void TranslationTraining::encode() {
  const auto prefixed = [prefix = prefix_](std::string_view text) { return prefix + std::string(text); };
  data::PairEncoders encoders{[t = tokenizer_, prefixed](std::string_view text) { return t->encode(prefixed(text)); },
                              [t = tokenizer_](std::string_view text) { return t->encode_target(text); },
                              {},
                              {}};
  if (options_.subword_sampling > 0) {
    text::Sampling sampling;
    sampling.alpha = options_.subword_sampling;
    encoders.sample_source = [t = marian_, prefixed, sampling](std::string_view text, Random& random) {
      return t->sample_source(prefixed(text), sampling, random);
    };
    encoders.sample_target = [t = marian_, sampling](std::string_view text, Random& random) {
      return t->sample_target(text, sampling, random);
    };
  }
  data::EncodeOptions encode;
  // T5's relative positions know no limit; the corpus does.
  const uint32_t positions = std::min<uint32_t>(static_cast<uint32_t>(model_->max_length()), data::kLongestSide);
  encode.filter.max_source_tokens = encode.filter.max_target_tokens =
      options_.max_length > 0 ? std::min(options_.max_length, positions) : positions;
  encode.filter.too_long = options_.crop ? data::TooLong::kCrop : data::TooLong::kDrop;
  encode.filter.max_length_ratio = options_.max_length_ratio;
  encode.seed = options_.seed;
  encode.threads = options_.threads;
  encode.memory_budget = options_.memory_budget;
  corpus_ = std::make_unique<data::EncodedCorpus>(read_corpus(options_.train), std::move(encoders), encode);

  data::BatchOptions batch;
  batch.seed = options_.seed;
  batch.max_tokens = options_.batch_tokens;
  batch.max_rows = options_.batch_pairs;
  batches_ = std::make_unique<TranslationBatches>(*corpus_, batch);
}

void TranslationTraining::read_validation() {
  const data::ParallelCorpus corpus = read_corpus(options_.valid);
  const auto most = static_cast<size_t>(model_->max_length());
  size_t left_out = 0;
  for (uint64_t i = 0; i < corpus.size(); ++i) {
    data::TextPair pair = corpus.pair(i);
    std::vector<int32_t> source = tokenizer_->encode(prefix_ + pair.source),
                         target = tokenizer_->encode_target(pair.target);
    if (is_blank(pair.source) || is_blank(pair.target) || source.size() > most || target.size() > most) {
      ++left_out;
      continue;
    }
    valid_order_.push_back(valid_source_.size());
    valid_source_.push_back(std::move(pair.source));
    valid_target_.push_back(std::move(pair.target));
    valid_source_ids_.push_back(std::move(source));
    valid_target_ids_.push_back(std::move(target));
  }
  if (left_out > 0)
    log().warn("validation: {} of {} pairs are left out, being empty or longer than {} tokens", left_out, corpus.size(),
               most);
  check<DataError>(!valid_order_.empty(), "the validation text has no pair that can be used");
  std::stable_sort(valid_order_.begin(), valid_order_.end(),
                   [&](size_t a, size_t b) { return valid_source_ids_[a].size() > valid_source_ids_[b].size(); });
}

TrainingBatches& TranslationTraining::batches() const { return *batches_; }

data::PlanReport TranslationTraining::plan() const { return batches_->report(); }

std::string TranslationTraining::report() const { return corpus_->report().text() + "; " + plan().text(); }

BatchLoss TranslationTraining::loss(const TrainingBatch& batch, const nn::Pass& pass, double divisor) const {
  const auto& pairs = static_cast<const TranslationBatch&>(batch).pairs;
  ops::CrossEntropyResult result = model_->loss(pairs, {options_.label_smoothing, divisor, pass});
  return {std::move(result.loss), result.loss_sum};
}

std::optional<ValidationResult> TranslationTraining::validate(const StopFlag& stop) {
  ValidationResult result;
  double loss = 0, bleu = 0, chrf = 0;
  if (!validation_loss(stop, loss)) return std::nullopt;
  result.metrics = {{"loss", loss}, {"perplexity", std::exp(loss)}};
  result.score = -loss;
  if (!options_.valid_bleu) return result;
  if (!validation_bleu(stop, bleu, chrf)) return std::nullopt;
  result.metrics.insert(result.metrics.end(), {{"bleu", bleu}, {"chrf", chrf}});
  result.score = bleu;
  return result;
}

// Per target token, without label smoothing. False if stopped.
bool TranslationTraining::validation_loss(const StopFlag& stop, double& loss) const {
  constexpr int64_t kBatchTokens = 4096;
  const NoGrad no_grad;
  double sum = 0;
  int64_t tokens = 0;
  for (size_t next = 0; next < valid_order_.size();) {
    if (stop()) return false;
    models::Seq2SeqBatch batch;
    while (next < valid_order_.size() && (batch.target.rows() == 0 || batch.target.tokens() < kBatchTokens)) {
      const size_t i = valid_order_[next++];
      batch.source.append(valid_source_ids_[i]);
      batch.target.append(valid_target_ids_[i]);
    }
    const ops::CrossEntropyResult result = model_->loss(batch, {0, 1, {}});
    sum += result.nll_sum;
    tokens += result.tokens;
  }
  loss = sum / static_cast<double>(tokens);
  return true;
}

// Of the translations, to be had in the order of lengths, so that few steps are spent on finished ones.
bool TranslationTraining::validation_bleu(const StopFlag& stop, double& bleu, double& chrf) const {
  const TranslationModel model{model_, tokenizer_};
  TranslateOptions options;
  options.source.prefix = prefix_;
  options.decode = generation_defaults(*model_);
  options.decode.beam = options_.valid_beam;
  options.decode.n_best = 1;
  options.decode.scores = options_.valid_beam > 1;
  // A model that has not learned to end would use all its positions.
  size_t longest = 0;
  for (const auto& ids : valid_target_ids_) longest = std::max(longest, ids.size());
  options.decode.max_new_tokens = static_cast<int>(
      std::min<size_t>(longest + longest / 2 + 10, static_cast<size_t>(std::max(1, model_->max_length() - 1))));
  options.window = 256;
  options.workers = options_.threads;

  std::vector<std::string> hypotheses(valid_source_.size());
  size_t read = 0, written = 0;
  translate_stream(
      model, options,
      [&]() -> std::optional<std::string> {
        if (read == valid_order_.size() || stop()) return std::nullopt;
        return valid_source_[valid_order_[read++]];
      },
      [&](std::vector<Translation>&& translations) {
        hypotheses[valid_order_[written++]] = std::move(translations.at(0).text);
      });
  if (written < hypotheses.size()) return false;
  const metrics::References references = metrics::references_by_segment(std::span(&valid_target_, 1));
  bleu = metrics::corpus_bleu(hypotheses, references).score;
  chrf = metrics::corpus_chrf(hypotheses, references).score;
  return true;
}

io::ModelContent TranslationTraining::content() {
  io::ModelContent content{config_, generation_config_, models::named_views(model_->parameters()), save_tokenizer_};
  return with_adapters(std::move(content), lora_, options_.init);
}

Json TranslationTraining::identity() const {
  const TranslationTrainingOptions& o = options_;
  const data::FilterReport& report = corpus_->report();
  const auto path = [](const fs::path& p) { return p.empty() ? "" : fs::absolute(p).lexically_normal().string(); };
  Json json = {
      {"source", fmt::format("{} pairs, {} and {} tokens", report.kept, report.source_tokens, report.target_tokens)},
      {"init", path(o.init)},
      {"tokenizer", path(o.tokenizer.folder)},
      {"prefix", prefix_},
      {batches_->option(), batches_->size()},
      {"batch-pairs", o.batch_pairs},
      {"max-length", o.max_length},
      {"crop", o.crop},
      {"max-length-ratio", o.max_length_ratio},
      {"subword-sampling", o.subword_sampling},
      {"label-smoothing", o.label_smoothing}};
  if (o.init.empty() && o.tokenizer.folder.empty()) {
    json["vocab-size"] = o.tokenizer.vocab_size;
    json["bpe"] = o.tokenizer.bpe;
    json["separate-vocabularies"] = o.tokenizer.separate;
  }
  const auto say = [&](const char* option, const char* key) { json[option] = config_.value(key, Json()); };
  say("encoder-layers", "encoder_layers");
  say("decoder-layers", "decoder_layers");
  say("d-model", "d_model");
  say("ffn", "encoder_ffn_dim");
  say("heads", "encoder_attention_heads");
  say("dropout", "dropout");
  say("attention-dropout", "attention_dropout");
  say("activation-dropout", "activation_dropout");
  say("activation", "activation_function");
  say("max-positions", "max_position_embeddings");
  say("share-embeddings", "share_encoder_decoder_embeddings");
  say("tie-output", "tie_word_embeddings");
  json["norm"] = config_.value("normalize_before", false) ? "pre" : "post";
  json["positions"] = config_.value("position_embedding_type", "sinusoidal");
  if (!o.init.empty()) json.update(identity_of(o.tuning));
  return json;
}

}  // namespace heed::tasks
