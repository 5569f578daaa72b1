// heed train image-classification: from labelled images to a classifier.
#include <set>

#include "heed/cli/commands.h"
#include "heed/cli/files.h"
#include "heed/cli/image_options.h"
#include "heed/cli/train_task.h"
#include "heed/tasks/image_classification_training.h"

namespace heed::cli {
namespace {

train::Recipe recipe_of(bool fine_tuning) {
  train::Recipe recipe = fine_tuning ? train::epoch_recipe(2e-4, 10, 64) : train::epoch_recipe(1e-3, 30, 128);
  recipe.train.schedule.kind = optim::ScheduleKind::kCosine;
  recipe.train.adam.weight_decay = 0.05f;
  recipe.warmup_share = 0.05;
  return recipe;
}

models::NewModel usual_sizes() {
  models::NewModel sizes;
  sizes.layers = 6;
  sizes.d_model = 128;
  return sizes;
}

void add_images(Options& o, tasks::ImageClassificationTrainingOptions& task, std::filesystem::path& label_names,
                std::string& augment) {
  o.section("Images");
  o.add("train", task.train, fmt::format("Images to train on: {}", kImageForms)).required();
  o.add("valid", task.valid, "Held-out ones");
  o.add("valid-fraction", task.valid_fraction,
        "Without --valid: hold out this share of --train, from its end (of a folder: at random)")
      .range(0, 0.9);
  add_image_columns(o, task.columns);
  o.add("label-names", label_names, "File of the labels' names, one a line, in the order of the classes")
      .default_text("the labels that occur");
  o.add("max-examples", task.max_examples, "Train on so many; 0: all");
  o.add("image-size", task.image_size, "Side that images are resized to")
      .range(0, 1 << 14)
      .default_text("an IDX file's; else 64; with --init the model's");
  o.add_choice<int>("channels", task.channels, {{"auto", 0}, {"grey", 1}, {"colour", 3}},
                    "What a new model sees; auto: grey for IDX files");
  o.add("augment", augment,
        "Random changes in each epoch: none, or some of crop,flip,erase,mixup (crop=PIXELS, "
        "erase=HOW OFTEN, mixup=ALPHA)");
  o.add("memory-budget", task.memory_budget, "Bytes of pixels to keep; more are read again for each batch");
}

// The names of labels, a line each.
std::vector<std::string> read_names(const std::filesystem::path& file) {
  std::vector<std::string> names = read_lines(file);
  std::set<std::string> seen;
  for (size_t i = 0; i < names.size(); ++i) {
    check<DataError>(!names[i].empty(), "{}:{}: expected the name of a label", file.string(), i + 1);
    check<DataError>(seen.insert(names[i]).second, "{}:{}: \"{}\" is the name of a label before it", file.string(),
                     i + 1, names[i]);
  }
  return names;
}

}  // namespace

int run_train_image_classification(Command& command) {
  tasks::ImageClassificationTrainingOptions task;
  ModelOptions model(models::Kind::kImage, usual_sizes());
  TrainingOptions training;
  std::filesystem::path label_names;
  std::string augment = "crop";
  std::optional<int> batch_size;
  command.about(
      "Trains a classifier on labelled images and writes an ordinary model folder, which holds the best model so far "
      "at any time. The images are a folder with a folder for each label, a table (.csv, .tsv, .jsonl) of paths and "
      "labels, or an IDX file such as MNIST's with its labels beside it.");
  command.example("heed train image-classification --train photos/ --valid-fraction 0.1 --output model/",
                  "from scratch; photos/cat/1.jpg is a cat");
  command.example(
      "heed train image-classification --train train-images-idx3-ubyte.gz --valid-fraction 0.1 "
      "--augment crop,flip --output model/",
      "MNIST and its successors");
  command.example("heed train image-classification --init vit/ --train train.csv --valid dev.csv --output model/",
                  "a new head on a pretrained body");
  Options& o = command.options();
  add_images(o, task, label_names, augment);
  model.add_to(command);
  o.section("Loss and batches");
  o.add("batch-size", batch_size, "Images of a batch").range(1, 1 << 20).default_text("128, with --init 64");
  o.add("label-smoothing", task.label_smoothing, "Of the loss").range(0, 0.99);
  training.add_to(command);
  command.parse();

  for (const char* name : {"image-size", "channels"})
    check<UsageError>(!model.is_fine_tuning() || !o.given(name), "--{} cannot be chosen with --init: the model has it",
                      name);
  const train::Recipe recipe = recipe_of(model.is_fine_tuning());
  task.augmentation = data::augmentation_from_text(augment);
  if (!label_names.empty()) task.label_names = read_names(label_names);
  return train_task<tasks::ImageClassificationTraining>(command, training, recipe, model, task, batch_size, "images");
}

}  // namespace heed::cli
