// heed train language-model: from running text to a model that continues it.
#include <algorithm>

#include "heed/cli/commands.h"
#include "heed/cli/running_text_options.h"
#include "heed/cli/train_task.h"
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
      "the best model so far at any time. The tokens of all documents lie one behind the other, and each epoch cuts "
      "them into blocks anew; with --no-packed each document stands for itself.");
  command.example(
      "heed train language-model --train input.txt --valid-fraction 0.1 --tokenizer characters --block 64 --output "
      "model/",
      "a model of characters from one file");
  command.example("heed train language-model --init gpt2/ --train posts.jsonl --valid dev.jsonl --output model/",
                  "fine-tune a downloaded model");
  Options& o = command.options();
  text.add_to(o);
  o.add("packed", task.packed, "Lay documents one behind the other, so that all rows of a batch are full blocks");
  o.add("end-token", task.end_token, "Put the tokenizer's end token between documents (behind each: --no-packed)");
  o.add("cache", task.cache, "Folder that keeps the tokens, for texts that memory does not hold, or used often");
  model.add_to(command, "positions", "as --block");
  o.section("Blocks and batches");
  o.add("block", block, "Tokens of a block: the longest row of a batch")
      .range(1, 1 << 20)
      .default_text(fmt::format("{}, or the model's positions if they are fewer", kUsualBlock));
  o.add("batch-size", batch_size, "Rows of a batch").range(1, 1 << 20).default_text("32, with --init 16");
  training.add_to(command);
  command.parse();

  const train::Recipe recipe = recipe_of(model);
  text.give_to(task);
  task.block = static_cast<uint32_t>(block.value_or(0));
  task.usual_block = kUsualBlock;
  model.use_positions(block.value_or(kUsualBlock));
  return train_task<tasks::LanguageModelTraining>(command, training, recipe, model, task, batch_size, "tok");
}

}  // namespace heed::cli
