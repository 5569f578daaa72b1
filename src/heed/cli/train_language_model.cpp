// heed train language-model: from running text to a model that continues it.
#include <algorithm>

#include "heed/cli/commands.h"
#include "heed/cli/running_text_options.h"
#include "heed/cli/train_command.h"
#include "heed/cli/train_model_options.h"
#include "heed/tasks/language_model_training.h"

namespace heed::cli {
namespace {

constexpr int kUsualBlock = 256;

train::Recipe recipe_of(const ModelOptions& model) {
  if (model.is_fine_tuning()) return train::language_recipe(5e-5, 3, 16);
  // The wider a model, the lower its rate: those of Brown et al. 2020, table 2.1, are in proportion to 1 / width,
  // about.
  return train::language_recipe(std::min(3e-3, 0.4 / static_cast<double>(model.d_model())), 10, 32);
}

}  // namespace

int run_train_language_model(Command& command) {
  tasks::LanguageModelTrainingOptions task;
  RunningTextOptions text;
  ModelOptions model(models::Kind::kCausal);
  TrainingOptions training;
  std::optional<int> batch_size, block;
  command.about(
      "Trains a causal language model (GPT-2, Llama) on running text and writes an ordinary model folder, which holds "
      "the best model so far at any time. The tokens of all documents lie one behind the other; each epoch cuts them "
      "into blocks anew.");
  command.example(
      "heed train language-model --train input.txt --valid-fraction 0.1 --tokenizer characters --block 64 --output "
      "model/",
      "a model of characters from one file");
  command.example("heed train language-model --init gpt2/ --train posts.jsonl --valid dev.jsonl --output model/",
                  "fine-tune a downloaded model");
  Options& o = command.options();
  text.add_to(o);
  o.add("end-token", task.end_token, "Put the tokenizer's end token between documents");
  o.add("cache", task.cache, "Folder that keeps the tokens, for texts that memory does not hold, or used often");
  model.add_to(command, "positions", "as --block");
  o.section("Blocks and batches");
  o.add("block", block, "Tokens of a block")
      .range(1, 1 << 20)
      .default_text(fmt::format("{}, or the model's positions if they are fewer", kUsualBlock));
  o.add("batch-size", batch_size, "Blocks of a batch").range(1, 1 << 20).default_text("32, with --init 16");
  training.add_to(command);
  command.use_threads();
  command.use_seed();
  command.use_json();
  command.parse();

  const train::Recipe recipe = recipe_of(model);
  task.train = text.train;
  task.valid = text.valid;
  task.valid_fraction = text.valid_fraction;
  task.documents = text.documents;
  task.batch_size = batch_size ? static_cast<uint32_t>(*batch_size) : recipe.batch_size;
  task.block = static_cast<uint32_t>(block.value_or(0));
  task.usual_block = kUsualBlock;
  task.seed = command.common().seed;
  model.use_positions(block.value_or(kUsualBlock));
  return run_training(command, training, recipe, model.d_model(), [&](const std::filesystem::path& resume) {
    task.start = model.resolve(command, resume);
    auto made = std::make_unique<tasks::LanguageModelTraining>(task);
    return MadeTask{std::move(made)};
  });
}

}  // namespace heed::cli
