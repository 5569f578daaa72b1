// heed train translation: from parallel text to a model.
#include <algorithm>

#include "heed/base/threads.h"
#include "heed/cli/commands.h"
#include "heed/cli/train_command.h"
#include "heed/cli/tuning_options.h"
#include "heed/tasks/presets.h"
#include "heed/tasks/translation_training.h"

namespace heed::cli {
namespace {

// "train.de.gz" -> "de"; empty where the name has no such ending.
std::string language_of(std::filesystem::path file) {
  if (file.extension() == ".gz" || file.extension() == ".zst") file = file.stem();
  std::string ending = file.extension().string();
  if (!ending.empty()) ending.erase(0, 1);
  const bool is_code = (ending.size() == 2 || ending.size() == 3) &&
                       std::all_of(ending.begin(), ending.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  return is_code ? ending : "";
}

// The options of the task: text, tokenizer, model.
class TranslationOptions {
 public:
  void add_to(Command& command);
  // `resume` is the folder that is gone on with, or empty.
  tasks::TranslationTrainingOptions resolve(Command& command, const train::Recipe& recipe,
                                            const std::filesystem::path& resume);
  // Of the preset, or for going on with a model.
  train::Recipe recipe() const { return task_.init.empty() ? train::recipe_for(preset_) : train::fine_tuning_recipe(); }
  int64_t d_model() const { return structure().d_model; }

 private:
  void add_text(Options& o);
  void add_tokenizer(Options& o);
  void add_model(Options& o);
  models::EncoderDecoderConfig structure() const;
  void refuse_with_init(Command& command) const;

  tasks::TranslationTrainingOptions task_;
  std::string preset_ = "tiny", norm_ = "post", positions_ = "sinusoidal";
  std::optional<int> layers_, encoder_layers_, decoder_layers_, d_model_, ffn_, heads_, max_positions_;
  std::optional<int> batch_tokens_;
  int max_length_ = 0, batch_pairs_ = 0;
  std::optional<float> label_smoothing_;
  Activation activation_ = Activation::kRelu;
  bool share_embeddings_ = true, tie_output_ = true;
  TuningOptions tuning_;
};

void TranslationOptions::add_text(Options& o) {
  o.section("Text (plain, gzip or zstd)");
  o.add("source", task_.train.source, "Sentences to translate from, one a line").value_name("FILE");
  o.add("target", task_.train.target, "Their translations, line by line").value_name("FILE");
  o.add("tsv", task_.train.tsv, "Instead of the two: lines of source, tab, target").value_name("FILE");
  o.add("valid-source", task_.valid.source, "Held-out sentences").value_name("FILE");
  o.add("valid-target", task_.valid.target, "Their translations").value_name("FILE");
  o.add("valid-tsv", task_.valid.tsv, "Instead of the two").value_name("FILE");
  o.add("prefix", task_.prefix, "Text before every source, such as 'translate English to German: ' (T5)")
      .default_text("the model's");
  o.add("max-length", max_length_, "Tokens that a side may have; 0: as many as the model has positions").at_least(0);
  o.add("crop", task_.crop, "Cut longer sides instead of dropping the pair");
  o.add("max-length-ratio", task_.max_length_ratio, "Drop pairs with a side so many times the other's length; 0: none")
      .at_least(0);
  o.add("memory-budget", task_.memory_budget, "Bytes for encoded text; what exceeds them is encoded again each epoch");
}

void TranslationOptions::add_tokenizer(Options& o) {
  tasks::TranslationTokenizerOptions& t = task_.tokenizer;
  o.section("Tokenizer");
  o.add("tokenizer", t.folder, "Folder of a tokenizer to use instead of training one");
  o.add("vocab-size", t.vocab_size, "Pieces of the vocabulary").range(8, 1 << 22);
  o.add("bpe", t.bpe, "Byte pair encoding instead of the unigram model");
  o.add("separate-vocabularies", t.separate, "A vocabulary for each language instead of a joint one");
  o.add("character-coverage", t.character_coverage, "Share of the characters that get pieces").range(0.98, 1);
  o.add("source-language", t.source_language, "Code of the language").default_text("the file name's ending");
  o.add("target-language", t.target_language, "Code of the language").default_text("the file name's ending");
  o.add("subword-sampling", task_.subword_sampling, "Draw segmentations anew in each epoch, with this alpha; 0: no")
      .range(0, 1);
}

void TranslationOptions::add_model(Options& o) {
  const char* const of_preset = "the preset's";
  o.section("Model");
  o.add("preset", preset_, "Size and recipe").choices(tasks::preset_names());
  o.add("init", task_.init, "Begin with this model (fine-tuning) instead of a new one").value_name("FOLDER");
  tuning_.add_to(o);
  o.add("layers", layers_, "Layers of encoder and decoder each").range(1, 1024).default_text(of_preset);
  o.add("encoder-layers", encoder_layers_, "Layers of the encoder").range(1, 1024).default_text(of_preset);
  o.add("decoder-layers", decoder_layers_, "Layers of the decoder").range(1, 1024).default_text(of_preset);
  o.add("d-model", d_model_, "Width of the model").range(2, 1 << 17).default_text(of_preset);
  o.add("ffn", ffn_, "Width inside the feed-forward layers").range(1, 1 << 17).default_text(of_preset);
  o.add("heads", heads_, "Attention heads").range(1, 1024).default_text(of_preset);
  o.add("dropout", task_.dropout, "Of embeddings and sublayers").range(0, 0.99).default_text(of_preset);
  o.add("attention-dropout", task_.attention_dropout, "Of attention weights").range(0, 0.99).default_text("0");
  o.add("activation-dropout", task_.activation_dropout, "Inside feed-forward layers").range(0, 0.99).default_text("0");
  o.add_choice<Activation>("activation", activation_,
                           {{"relu", Activation::kRelu},
                            {"gelu", Activation::kGelu},
                            {"gelu_new", Activation::kGeluTanh},
                            {"swish", Activation::kSilu}},
                           "Of the feed-forward layers");
  o.add("norm", norm_, "Layer norms after the sublayers (the paper) or before").choices({"post", "pre"});
  o.add("positions", positions_, "Position encodings").choices({"sinusoidal", "learned"});
  o.add("max-positions", max_positions_, "Longest sentence in tokens").range(2, 1 << 20).default_text(of_preset);
  o.add("share-embeddings", share_embeddings_, "One matrix for source and target");
  o.add("tie-output", tie_output_, "The target's embeddings are the output layer too");
}

void TranslationOptions::add_to(Command& command) {
  Options& o = command.options();
  add_text(o);
  add_tokenizer(o);
  add_model(o);
  o.section("Loss and batches");
  o.add("label-smoothing", label_smoothing_, "Of the loss").range(0, 0.99).default_text("0.1");
  o.add("batch-tokens", batch_tokens_, "Target tokens of a batch").at_least(1).default_text("the recipe's");
  o.add("batch-pairs", batch_pairs_, "Most pairs of a batch; 0: any number").range(0, 1 << 26);
  o.add("valid-beam", task_.valid_beam, "Beam of the translations that BLEU is measured on").range(1, 64);
  o.add("valid-bleu", task_.valid_bleu, "Choose the best model by BLEU, else by the loss");
}

models::EncoderDecoderConfig TranslationOptions::structure() const {
  models::EncoderDecoderConfig c = tasks::preset_structure(preset_);
  c.encoder_layers = encoder_layers_.value_or(layers_.value_or(c.encoder_layers));
  c.decoder_layers = decoder_layers_.value_or(layers_.value_or(c.decoder_layers));
  c.d_model = d_model_.value_or(static_cast<int>(c.d_model));
  c.encoder_ffn = c.decoder_ffn = ffn_.value_or(static_cast<int>(c.encoder_ffn));
  c.encoder_heads = c.decoder_heads = heads_.value_or(c.encoder_heads);
  c.max_positions = max_positions_.value_or(static_cast<int>(c.max_positions));
  c.dropout = task_.dropout.value_or(c.dropout);
  c.attention_dropout = task_.attention_dropout.value_or(c.attention_dropout);
  c.activation_dropout = task_.activation_dropout.value_or(c.activation_dropout);
  c.activation = activation_;
  c.pre_norm = norm_ == "pre";
  c.positions = positions_ == "learned" ? models::Positions::kLearned : models::Positions::kSinusoidsInHalves;
  c.share_embeddings = share_embeddings_;
  c.tie_output = tie_output_;
  check<UsageError>(c.d_model % c.encoder_heads == 0, "--d-model {} is no multiple of --heads {}", c.d_model,
                    c.encoder_heads);
  check<UsageError>(c.d_model % 2 == 0, "--d-model is {}; it must be even", c.d_model);
  return c;
}

void TranslationOptions::refuse_with_init(Command& command) const {
  if (task_.init.empty()) return;
  for (const char* name : {"preset",
                           "layers",
                           "encoder-layers",
                           "decoder-layers",
                           "d-model",
                           "ffn",
                           "heads",
                           "activation",
                           "norm",
                           "positions",
                           "max-positions",
                           "share-embeddings",
                           "tie-output",
                           "tokenizer",
                           "vocab-size",
                           "bpe",
                           "separate-vocabularies",
                           "character-coverage",
                           "source-language",
                           "target-language"})
    check<UsageError>(!command.options().given(name), "--{} cannot be chosen with --init: the model has it", name);
}

tasks::TranslationTrainingOptions TranslationOptions::resolve(Command& command, const train::Recipe& recipe,
                                                              const std::filesystem::path& resume) {
  refuse_with_init(command);
  check<UsageError>(!task_.tokenizer.separate || !share_embeddings_ || !command.options().given("share-embeddings"),
                    "--share-embeddings needs a joint vocabulary, and --separate-vocabularies asks for two");
  tasks::TranslationTrainingOptions t = task_;
  t.structure = structure();
  t.resume = resume;
  t.tuning = tuning_.resolve(command.options(), !t.init.empty());
  t.seed = command.common().seed;
  t.threads = thread_count();
  t.max_length = static_cast<uint32_t>(max_length_);
  t.batch_pairs = static_cast<uint32_t>(batch_pairs_);
  t.batch_tokens = batch_tokens_ ? static_cast<uint32_t>(*batch_tokens_) : recipe.batch_tokens;
  t.label_smoothing = label_smoothing_.value_or(recipe.label_smoothing);
  t.tokenizer.exact_size = command.options().given("vocab-size");
  if (t.tokenizer.source_language.empty()) t.tokenizer.source_language = language_of(t.train.source);
  if (t.tokenizer.target_language.empty()) t.tokenizer.target_language = language_of(t.train.target);
  return t;
}

}  // namespace

int run_train_translation(Command& command) {
  TranslationOptions task_options;
  TrainingOptions training;
  command.about(
      "Trains a Transformer on parallel text and writes an ordinary model folder, which holds the best model so far\n"
      "at any time. A run that was stopped, by a signal or a crash, goes on with --resume as if nothing had been.");
  command.example(
      "heed train translation --source train.en --target train.de --valid-source val.en --valid-target val.de \\\n"
      "    --preset tiny --output model/",
      "train a small model");
  command.example("heed train translation … --output model/ --resume --max-minutes 30", "go on for up to 30 minutes");
  command.example("heed train translation … --init opus-mt-en-de/ --output mine/", "fine-tune a model");
  task_options.add_to(command);
  training.add_to(command);
  command.parse();

  const train::Recipe recipe = task_options.recipe();
  return run_training(command, training, recipe, task_options.d_model(), [&](const std::filesystem::path& resume) {
    return MadeTask{std::make_unique<tasks::TranslationTraining>(task_options.resolve(command, recipe, resume))};
  });
}

}  // namespace heed::cli
