// heed train denoise: from text to an encoder-decoder that translation and summarisation begin with.
#include "heed/cli/commands.h"
#include "heed/cli/denoise_options.h"
#include "heed/cli/running_text_options.h"
#include "heed/cli/train_command.h"
#include "heed/cli/train_model_options.h"
#include "heed/tasks/denoising_training.h"

namespace heed::cli {

int run_train_denoise(Command& command) {
  tasks::DenoisingTrainingOptions task;
  RunningTextOptions text;
  DenoiseOptions denoise;
  ModelOptions model(models::Kind::kSeq2Seq);
  TrainingOptions training;
  std::optional<int> batch_size;
  int block = 0;
  command.about(
      "Trains an encoder-decoder to restore text that was corrupted, anew in each epoch, and writes an ordinary model "
      "folder, which holds the best model so far at any time. T5 learns to say what stood for sentinel tokens; BART "
      "writes the whole text, whose sentences were shuffled and whose spans were hidden.");
  command.example("heed train denoise --train input.txt --valid-fraction 0.1 --family t5 --output model/",
                  "span corruption");
  command.example("heed train denoise --train posts.jsonl --no-packed --family bart --output model/",
                  "text infilling, each document for itself");
  Options& o = command.options();
  text.add_to(o);
  o.add("cache", task.noise.cache, "Folder that keeps the tokens, for texts that memory does not hold, or used often");
  o.section("Corruption");
  denoise.add_to(o);
  model.add_to(command);
  o.section("Loss and batches");
  o.add("block", block, "Tokens of text of an example; longer documents make several")
      .range(0, 1 << 20)
      .default_text(fmt::format("{}, or what the model's positions have room for", task.usual_block));
  o.add("batch-size", batch_size, "Examples of a batch").range(1, 1 << 20).default_text("32");
  o.add("label-smoothing", task.label_smoothing, "Of the loss").range(0, 0.99);
  training.add_to(command);
  command.use_threads();
  command.use_seed();
  command.use_json();
  command.parse();

  const train::Recipe recipe =
      model.is_fine_tuning() ? train::epoch_recipe(5e-5, 3, 32) : train::epoch_recipe(5e-4, 20, 32);
  const std::filesystem::path cache = task.noise.cache;
  task.noise = denoise.noise;
  task.noise.cache = cache;
  task.noise.block = static_cast<uint32_t>(block);
  task.kind = denoise.kind;
  task.train = text.train;
  task.valid = text.valid;
  task.valid_fraction = text.valid_fraction;
  task.documents = text.documents;
  task.batch_size = batch_size ? static_cast<uint32_t>(*batch_size) : recipe.batch_size;
  task.seed = command.common().seed;
  return run_training(command, training, recipe, model.d_model(), [&](const std::filesystem::path& resume) {
    task.start = model.resolve(command, resume);
    auto made = std::make_unique<tasks::DenoisingTraining>(task);
    return MadeTask{std::move(made)};
  });
}

}  // namespace heed::cli
