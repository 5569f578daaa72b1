// heed evaluate image-classification: how good a classifier is on labelled images.
#include <algorithm>

#include "heed/base/files.h"
#include "heed/cli/classification_output.h"
#include "heed/cli/commands.h"
#include "heed/cli/files.h"
#include "heed/cli/image_options.h"
#include "heed/tasks/classification_scores.h"
#include "heed/tasks/image_classification.h"

namespace heed::cli {
namespace {

// What the model says of each image, in order. Throws the error of the first one that cannot be read.
std::vector<std::vector<float>> scores_of(const tasks::ImageClassifier& classifier, const data::LabelledImages& images,
                                          size_t batch_size, Progress& progress) {
  std::vector<std::vector<float>> outputs;
  for (size_t begin = 0; begin < images.size(); begin += batch_size) {
    std::vector<data::PixelValues> values;
    for (size_t i = begin; i < std::min(begin + batch_size, images.size()); ++i) {
      const data::Image image = images.image(i);
      try {
        values.push_back(classifier.pixels(image));
      } catch (const DataError& error) {
        fail<DataError>("{}: {}", images.place(i), error.what());
      }
    }
    for (auto& scores : classifier.scores(values)) outputs.push_back(std::move(scores));
    progress.update([&] { return fmt::format("{} of {} images", outputs.size(), images.size()); });
  }
  return outputs;
}

}  // namespace

int run_evaluate_image_classification(Command& command) {
  std::filesystem::path folder, data, predictions;
  data::ImageTableOptions columns;
  size_t batch_size = 64;
  command.about("Classifies labelled images and scores the result as scikit-learn does.");
  command.example("heed evaluate image-classification --model model/ --data test/ --json", "");
  Options& o = command.options();
  o.add("model", folder, "Folder of the model").required();
  o.add("data", data, fmt::format("Labelled images: {}", kImageForms)).required();
  add_image_columns(o, columns);
  o.add("predictions", predictions,
        "Write what the model says of each image to this file: its place, a tab, the label");
  o.add("batch-size", batch_size, "Images computed together").range(1, 4096);
  command.use_model();
  command.use_json();
  command.parse();
  if (!predictions.empty()) check_output(predictions);

  const auto classifier = tasks::ImageClassifier::load(folder, command.load_options());
  const std::vector<std::string>& labels = classifier.model->labels();
  check<UsageError>(classifier.model->problem() == models::Problem::kSingleLabel,
                    "the model's head does not choose one label; only such models are scored");
  const auto images = data::LabelledImages::read(data, columns);
  const tasks::ClassificationAnswers answers{data::classes_of(images, labels), {}};
  Progress progress = command.progress();
  const auto outputs = scores_of(classifier, images, batch_size, progress);
  progress.finish(fmt::format("{} images", images.size()));
  if (!predictions.empty()) {
    std::string text;
    for (size_t i = 0; i < outputs.size(); ++i)
      text += fmt::format("{}\t{}\n", images.place(i),
                          one_line(labels[static_cast<size_t>(tasks::highest_scores(outputs[i], 1)[0].label)]));
    write_output(predictions, text);
  }
  write_scores(command, tasks::classification_scores(models::Problem::kSingleLabel, answers, outputs), images.size(),
               "images");
  return kOk;
}

}  // namespace heed::cli
