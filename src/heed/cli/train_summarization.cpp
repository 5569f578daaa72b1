// heed train summarization: from documents with summaries to a model that writes them.
#include "heed/base/threads.h"
#include "heed/cli/commands.h"
#include "heed/cli/summary_options.h"
#include "heed/cli/train_command.h"
#include "heed/cli/train_model_options.h"
#include "heed/tasks/summarization_training.h"

namespace heed::cli {
namespace {

void add_text(Options& o, tasks::SummarizationTrainingOptions& task) {
  o.section("Text (plain, gzip or zstd)");
  o.add("train", task.train, "Documents with summaries: .tsv, .csv or .jsonl").required();
  o.add("valid", task.valid, "Held-out ones");
  o.add("valid-fraction", task.valid_fraction, "Without --valid: hold out this share of --train, from its end")
      .range(0, 0.9);
  add_columns(o, task.columns);
  o.add("max-examples", task.max_examples, "Train on the first so many; 0: all");
  o.add("prefix", task.prefix, "Text before every document, such as 'summarize: '").default_text("the model's");
  o.add("max-source-length", task.max_source_length, "Tokens of a document; longer ones are cut").range(2, 1 << 20);
  o.add("max-target-length", task.max_target_length, "Tokens of a summary; longer ones are cut").range(2, 1 << 20);
}

}  // namespace

int run_train_summarization(Command& command) {
  tasks::SummarizationTrainingOptions task;
  ModelOptions model(models::Kind::kSeq2Seq);
  TrainingOptions training;
  command.about(
      "Trains an encoder-decoder (BART, T5) on documents with summaries and writes an ordinary model folder, which "
      "holds the best model so far by ROUGE-L at any time.");
  command.example("heed train summarization --init t5-small/ --train train.jsonl --valid dev.jsonl --output model/",
                  "fine-tune a pretrained model");
  command.example("heed train summarization --train mails.tsv --valid-fraction 0.1 --family bart --output model/",
                  "from scratch");
  Options& o = command.options();
  add_text(o, task);
  model.add_to(command);
  o.section("Loss and batches");
  o.add("batch-tokens", task.batch_tokens, "Tokens of a batch, of documents and summaries together").range(1, 1 << 26);
  o.add("label-smoothing", task.label_smoothing, "Of the loss").range(0, 0.99);
  o.add("valid-summaries", task.valid_summaries, "Held-out documents that each validation summarizes; 0: all");
  o.add("valid-beam", task.valid_beam, "Beam of those summaries").range(1, 64);
  training.add_to(command);
  command.use_threads();
  command.use_seed();
  command.use_json();
  command.parse();

  const train::Recipe recipe =
      model.is_fine_tuning() ? train::epoch_recipe(5e-5, 3, 0) : train::epoch_recipe(5e-4, 20, 0);
  task.seed = command.common().seed;
  task.threads = thread_count();
  return run_training(command, training, recipe, model.d_model(), [&](const std::filesystem::path& resume) {
    task.start = model.resolve(command, resume);
    auto made = std::make_unique<tasks::SummarizationTraining>(task);
    return MadeTask{std::move(made)};
  });
}

}  // namespace heed::cli
