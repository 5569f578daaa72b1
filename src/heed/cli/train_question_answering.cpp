// heed train question-answering: from questions, contexts and answers to a model that finds answers.
#include "heed/cli/commands.h"
#include "heed/cli/question_answering_options.h"
#include "heed/cli/train_task.h"
#include "heed/tasks/question_answering_training.h"

namespace heed::cli {
namespace {

train::Recipe recipe_of(bool fine_tuning) {
  return fine_tuning ? train::epoch_recipe(1e-4, 3, 32) : train::epoch_recipe(5e-4, 10, 32);
}

}  // namespace

int run_train_question_answering(Command& command) {
  tasks::QuestionAnsweringTrainingOptions task;
  task.answers = squad_answers();
  ModelOptions model(models::Kind::kEncoder);
  TrainingOptions training;
  std::optional<int> batch_size;
  command.about(
      "Trains a model that finds the part of a text that answers a question, or that there is none, and writes an "
      "ordinary model folder, which holds the best model so far at any time. Files are SQuAD's, version 1.1 or 2.0.");
  command.example("heed train question-answering --init bert/ --train train.json --valid dev.json --output model/", "");
  Options& o = command.options();
  add_example_files(o, task, "Questions with contexts and answers: SQuAD's JSON");
  o.add("max-examples", task.max_examples, "Train on the first so many questions; 0: all");
  add_answer_options(o, task.answers);
  model.add_to(command);
  o.section("Batches");
  o.add("batch-size", batch_size, "Windows of a batch").range(1, 1 << 20).default_text("32");
  training.add_to(command);
  command.parse();

  const train::Recipe recipe = recipe_of(model.is_fine_tuning());
  return train_task<tasks::QuestionAnsweringTraining>(command, training, recipe, model, task, batch_size, "windows");
}

}  // namespace heed::cli
