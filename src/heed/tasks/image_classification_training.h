// Training of an image classifier: from labelled images to a model with its preprocessor_config.json.
//
// All images are read once at the start, which finds broken ones; resized, they stay in memory if they fit the budget,
// else they are read again for every batch, which changes nothing. A new model's pixels are normalised by the mean and
// deviation of the training images.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "heed/data/augmentation.h"
#include "heed/data/labelled_images.h"
#include "heed/tasks/example_batches.h"
#include "heed/tasks/image_classification.h"
#include "heed/tasks/model_start.h"

namespace heed::tasks {

struct ImageClassificationTrainingOptions {
  ModelStart start;  // of its structure, the image's shape follows from `image_size` and `channels`
  std::filesystem::path train, valid;
  double valid_fraction = 0;  // of the training images, the last ones, if there is no `valid`
  data::ImageTableOptions columns;
  std::vector<std::string> label_names;  // by class; empty: those that occur
  uint64_t max_examples = 0;             // of training; 0: all

  int image_size = 0;  // side of a new model's images; 0: that of an IDX file, else 64
  int channels = 0;    // of a new model: 1 (grey), 3; 0: 1 for an IDX file, else 3
  data::AugmentationOptions augmentation;

  uint64_t seed = 1;  // of shuffling and augmentation
  uint32_t batch_size = 128;
  float label_smoothing = 0;
  uint64_t memory_budget = uint64_t{2} << 30;  // bytes of pixels that are kept
};

// Images and their classes.
struct ImageTrainingBatch final : TrainingBatch {
  models::ImageBatch images;
  models::Targets wanted;  // with mixup: of the images themselves, weighted by their share
  models::Targets mixed;   // of those mixed in, likewise; empty without mixup
  std::string place;

  int64_t targets() const override { return images.pixels.dim(0); }
  std::string describe() const override { return place; }
};

class ImageClassificationTraining final : public TrainingTask {
 public:
  // Throws UsageError for options that contradict each other, DataError with the place of what is wrong with the
  // images, and what models throw.
  explicit ImageClassificationTraining(ImageClassificationTrainingOptions options);

  nn::ParameterStore& parameters() override { return model_->parameters(); }
  TrainingBatches& batches() const override { return *batches_; }
  BatchLoss loss(const TrainingBatch& batch, const nn::Pass& pass, double divisor) const override;
  bool has_validation() const override { return valid_.images.size() > 0; }
  std::optional<ValidationResult> validate(const StopFlag& stop) override;
  io::ModelContent content() override { return started_.content(); }
  Json identity() const override;

  const ImageClassifier& classifier() const { return classifier_; }
  // Of the data, for the line that is printed at the start.
  std::string report() const override { return report_; }

 private:
  struct Examples {
    data::LabelledImages images;
    std::vector<int32_t> classes;
    std::vector<uint8_t> pixels;  // of all, resized; empty: not kept
  };
  // How often each value occurs in the images, by channel.
  using Histogram = std::vector<std::array<uint64_t, 256>>;

  void split();
  void start(const std::vector<std::string>& labels);
  models::ImageShape new_shape() const;
  // Reads every image once. Throws the first one's error.
  Histogram read_all(Examples& examples, bool keep) const;
  data::Image resized(const Examples& examples, size_t i) const;
  std::unique_ptr<TrainingBatch> make_batch(uint64_t epoch, std::span<const uint32_t> examples) const;

  const ImageClassificationTrainingOptions options_;
  const data::Augmentation augmentation_;
  StartedModel started_;
  std::shared_ptr<models::ImageModel> model_;
  ImageClassifier classifier_;  // of the same model
  Examples train_, valid_;
  std::unique_ptr<ExampleBatches> batches_;
  std::string report_;
};

}  // namespace heed::tasks
