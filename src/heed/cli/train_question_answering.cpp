// heed train question-answering: from questions, contexts and answers to a model that finds answers.
#include "heed/base/threads.h"
#include "heed/cli/commands.h"
#include "heed/cli/question_answering_options.h"
#include "heed/cli/train_command.h"
#include "heed/cli/train_model_options.h"
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
  o.section("Text (plain, gzip or zstd)");
  o.add("train", task.train, "Questions with contexts and answers: SQuAD's JSON").required();
  o.add("valid", task.valid, "Held-out ones");
  o.add("valid-fraction", task.valid_fraction, "Without --valid: hold out this share of --train, from its end")
      .range(0, 0.9);
  o.add("max-examples", task.max_examples, "Train on the first so many questions; 0: all");
  add_answer_options(o, task.answers);
  model.add_to(command);
  o.section("Batches");
  o.add("batch-size", batch_size, "Windows of a batch").range(1, 1 << 20).default_text("32");
  training.add_to(command);
  command.use_threads();
  command.use_seed();
  command.use_json();
  command.parse();

  const train::Recipe recipe = recipe_of(model.is_fine_tuning());
  task.batch_size = batch_size ? static_cast<uint32_t>(*batch_size) : recipe.batch_size;
  task.seed = command.common().seed;
  task.threads = thread_count();
  return run_training(command, training, recipe, model.d_model(), [&](const std::filesystem::path& resume) {
    task.start = model.resolve(command, resume);
    auto made = std::make_unique<tasks::QuestionAnsweringTraining>(task);
    return MadeTask{std::move(made), "windows"};
  });
}

}  // namespace heed::cli
