// heed train masked-lm: from text to an encoder that other tasks begin with.
#include "heed/base/threads.h"
#include "heed/cli/commands.h"
#include "heed/cli/running_text_options.h"
#include "heed/cli/train_command.h"
#include "heed/cli/train_model_options.h"
#include "heed/tasks/masked_lm_training.h"

namespace heed::cli {

int run_train_masked_lm(Command& command) {
  tasks::MaskedLmTrainingOptions task;
  RunningTextOptions text;
  text.documents.per = data::DocumentsPer::kLine;
  ModelOptions model(models::Kind::kEncoder);
  TrainingOptions training;
  std::optional<int> batch_size;
  int max_length = 0;
  command.about(
      "Trains a text encoder (BERT, RoBERTa, DistilBERT) to fill in hidden tokens and writes an ordinary model folder, "
      "which holds the best model so far at any time. The result is what to give to --init of other tasks, or to heed "
      "fill-mask.");
  command.example("heed train masked-lm --train sentences.txt --valid-fraction 0.05 --output model/",
                  "each line an example");
  command.example(
      "heed train masked-lm --train books/a.txt --train books/b.txt --document-per file --packed "
      "--max-length 128 --output model/",
      "running text");
  command.example("heed train classification --init model/ --train train.tsv --valid dev.tsv --output classifier/",
                  "what comes next");
  Options& o = command.options();
  text.add_to(o);
  o.add("packed", task.packed, "Lay documents one behind the other, so that all examples are full");
  o.add("max-length", max_length, "Tokens of an example; longer documents make several; 0: the model's positions")
      .at_least(0);
  o.add("cache", task.cache, "Folder that keeps the tokens, for texts that memory does not hold, or used often");
  model.add_to(command);
  o.section("Loss and batches");
  o.add("mask-probability", task.mask_probability, "Share of the tokens that are to be predicted").range(0.001, 1);
  o.add("whole-words", task.whole_words, "Hide all tokens of a word, or none");
  o.add("batch-size", batch_size, "Examples of a batch").range(1, 1 << 20).default_text("32");
  training.add_to(command);
  command.use_threads();
  command.use_seed();
  command.use_json();
  command.parse();

  const train::Recipe recipe =
      model.is_fine_tuning() ? train::epoch_recipe(5e-5, 3, 32) : train::epoch_recipe(5e-4, 20, 32);
  task.train = text.train;
  task.valid = text.valid;
  task.valid_fraction = text.valid_fraction;
  task.documents = text.documents;
  task.max_length = static_cast<uint32_t>(max_length);
  task.batch_size = batch_size ? static_cast<uint32_t>(*batch_size) : recipe.batch_size;
  task.seed = command.common().seed;
  task.threads = thread_count();
  return run_training(command, training, recipe, model.d_model(), [&](const std::filesystem::path& resume) {
    task.start = model.resolve(command, resume);
    auto made = std::make_unique<tasks::MaskedLmTraining>(task);
    return MadeTask{std::move(made)};
  });
}

}  // namespace heed::cli
