// heed train classification: from labelled texts to a classifier.
#include "heed/cli/classification_options.h"
#include "heed/cli/commands.h"
#include "heed/cli/train_task.h"
#include "heed/tasks/classification_training.h"

namespace heed::cli {
namespace {

train::Recipe recipe_of(bool fine_tuning) {
  return fine_tuning ? train::epoch_recipe(1e-4, 4, 32) : train::epoch_recipe(5e-4, 10, 32);
}

void add_teachers(Options& o, tasks::TeacherOptions& teachers) {
  o.section("Teachers");
  o.add("teacher", teachers.folders,
        "Folder of a classifier with the same labels, whose answers are learned, too; of several their mean");
  o.add("unlabelled", teachers.unlabelled, "Further texts, which the teachers alone label: .tsv, .csv or .jsonl");
  o.add("teacher-weight", teachers.weight, "What the teachers count in the loss; labels have the rest")
      .range(0, 1)
      .default_text("0.5");
  o.add("temperature", teachers.temperature, "That teachers' and model's probabilities are softened by")
      .range(0.1, 100)
      .default_text("1");
}

}  // namespace

int run_train_classification(Command& command) {
  tasks::ClassificationTrainingOptions task;
  ModelOptions model(models::Kind::kEncoder);
  TrainingOptions training;
  std::optional<int> batch_size;
  int max_length = 0;
  command.about(
      "Trains a classifier on labelled texts (or pairs of texts) and writes an ordinary model folder, which holds the "
      "best model so far at any time. Files are TSV, CSV or JSON lines. What the labels look like says what is "
      "learned: one of them (or shares of it, as {\"a\": 3, \"b\": 1}), several (lists), or a number (--problem).");
  command.example("heed train classification --train train.tsv --valid dev.tsv --output model/", "from scratch");
  command.example("heed train classification --init bert/ --train train.jsonl --valid-fraction 0.1 --output model/",
                  "a new head on a pretrained body");
  command.example("heed train classification --teacher large/ --train train.tsv --unlabelled more.tsv --output small/",
                  "what a larger model says of labelled texts and of others");
  Options& o = command.options();
  add_example_files(o, task, "Labelled texts: .tsv, .csv or .jsonl");
  add_columns(o, task.columns);
  o.add("max-examples", task.max_examples, "Train on the first so many; 0: all");
  o.add("max-length", max_length, "Tokens that a text may have; longer ones are cut; 0: the model's positions")
      .at_least(0);
  o.add_choice<std::optional<models::Problem>>("problem", task.problem,
                                               {{"auto", std::nullopt},
                                                {"single", models::Problem::kSingleLabel},
                                                {"multi", models::Problem::kMultiLabel},
                                                {"regression", models::Problem::kRegression}},
                                               "One label, several, or a number");
  model.add_to(command);
  o.section("Loss and batches");
  o.add("batch-size", batch_size, "Texts of a batch").range(1, 1 << 20).default_text("32");
  o.add("label-smoothing", task.label_smoothing, "Of the loss").range(0, 0.99);
  o.add("word-dropout", task.word_dropout, "Share of the words that are hidden in each epoch").range(0, 0.9);
  o.add("class-weights", task.class_weights, "Rare labels count more, so that all count the same together");
  add_teachers(o, task.teachers);
  training.add_to(command);
  command.parse();

  const train::Recipe recipe = recipe_of(model.is_fine_tuning());
  task.max_length = static_cast<uint32_t>(max_length);
  task.teachers.device = command.common().device;
  return train_task<tasks::ClassificationTraining>(command, training, recipe, model, task, batch_size, "examples");
}

}  // namespace heed::cli
