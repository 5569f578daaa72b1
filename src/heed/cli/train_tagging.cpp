// heed train tagging: from tagged words to a tagger.
#include "heed/base/threads.h"
#include "heed/cli/commands.h"
#include "heed/cli/tagging_options.h"
#include "heed/cli/train_command.h"
#include "heed/cli/train_model_options.h"
#include "heed/tasks/tagging_training.h"

namespace heed::cli {
namespace {

// Entities are learned slowly from few sentences: more epochs than classification takes.
train::Recipe recipe_of(bool fine_tuning) {
  return fine_tuning ? train::epoch_recipe(1e-4, 5, 32) : train::epoch_recipe(5e-4, 30, 32);
}

}  // namespace

int run_train_tagging(Command& command) {
  tasks::TaggingTrainingOptions task;
  ModelOptions model(models::Kind::kEncoder);
  TrainingOptions training;
  std::optional<int> batch_size;
  int max_length = 0;
  command.about(
      "Trains a tagger of words (named entities, parts of speech) and writes an ordinary model folder, which holds the "
      "best model so far at any time. Files are CoNLL columns or JSON lines. Entities tagged by IOB1 are learned as "
      "BIO.");
  command.example("heed train tagging --train eng.train --valid eng.testa --no-lowercase --output model/",
                  "from scratch");
  command.example("heed train tagging --init bert/ --train train.jsonl --valid-fraction 0.1 --output model/",
                  "a new head on a pretrained body");
  Options& o = command.options();
  o.section("Text (plain, gzip or zstd)");
  o.add("train", task.train, "Tagged words: CoNLL columns or .jsonl").required();
  o.add("valid", task.valid, "Held-out ones");
  o.add("valid-fraction", task.valid_fraction, "Without --valid: hold out this share of --train, from its end")
      .range(0, 0.9);
  add_tag_context(o, task.context);
  o.add("max-examples", task.max_examples, "Train on the first so many sentences; 0: all");
  o.add("max-length", max_length, "Tokens of a text; longer ones are cut into parts; 0: the model's positions")
      .range(0, 1 << 20);
  model.add_to(command);
  o.section("Loss and batches");
  o.add("batch-size", batch_size, "Texts of a batch").range(1, 1 << 20).default_text("32");
  o.add("label-smoothing", task.label_smoothing, "Of the loss").range(0, 0.99);
  o.add("word-dropout", task.word_dropout, "Share of the words that are hidden in each epoch").range(0, 0.9);
  training.add_to(command);
  command.use_threads();
  command.use_seed();
  command.use_json();
  command.parse();

  const train::Recipe recipe = recipe_of(model.is_fine_tuning());
  task.max_length = static_cast<uint32_t>(max_length);
  task.batch_size = batch_size ? static_cast<uint32_t>(*batch_size) : recipe.batch_size;
  task.seed = command.common().seed;
  task.threads = thread_count();
  return run_training(command, training, recipe, model.d_model(), [&](const std::filesystem::path& resume) {
    task.start = model.resolve(command, resume);
    auto made = std::make_unique<tasks::TaggingTraining>(task);
    return MadeTask{std::move(made), "words"};
  });
}

}  // namespace heed::cli
