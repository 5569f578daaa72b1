// Image classification with a trained model: files in, labels with scores out, in order.
//
// An ImageClassifier is immutable and may serve many threads. What an image is batched with and the number of threads
// do not change its scores by a bit.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "heed/data/image_processor.h"
#include "heed/models/interface.h"
#include "heed/models/load_options.h"

namespace heed::tasks {

struct ImageClassifier {
  std::shared_ptr<const models::ImageModel> model;
  data::ImageProcessor processor;

  // Reads a Hugging Face folder with its preprocessor_config.json; `options`: how the model is loaded.
  // Throws what the folder's, the family's and the processor's loaders throw, and ConfigError if the model has no
  // classification head.
  static ImageClassifier load(const std::filesystem::path& folder,
                              const models::LoadOptions& options = models::for_inference());

  // The image as the model sees it before it becomes numbers: grey or RGB as the model wants it, resized and cropped.
  // Throws DataError if that is not of the model's shape.
  data::Image resized(const data::Image& image) const;
  // What the model is fed of an image.
  data::PixelValues pixels(const data::Image& image) const { return processor.values(resized(image)); }
  // A score for each label, of each image that pixels() gave. One of several labels: probabilities, which sum to 1;
  // several labels: the probability of each; regression: the numbers themselves.
  std::vector<std::vector<float>> scores(const std::vector<data::PixelValues>& images) const;
};

struct LabelScore {
  int label = 0;
  float score = 0;
};

// The `count` highest scores, highest first; equal ones by label.
std::vector<LabelScore> highest_scores(const std::vector<float>& scores, size_t count);

struct ImageLabels {
  std::filesystem::path file;
  std::vector<LabelScore> best;
  std::string error;  // why there are none; only if bad images are skipped
};

struct ClassifyImagesOptions {
  size_t batch_size = 16;  // images decoded, by all threads, and classified together
  size_t top_k = 1;
  bool skip_bad = false;  // a file that cannot be read gives an error text instead of ending the run
};

struct ClassifyImagesReport {
  uint64_t images = 0, bad = 0;  // bad: not among `images`
};

// Classifies the files that `next_file` gives until it gives nothing; `write` gets each one's labels, in order. Throws
// DataError, IoError for the first file that cannot be read (after writing those before it), unless they are skipped.
ClassifyImagesReport classify_images(const ImageClassifier& classifier, const ClassifyImagesOptions& options,
                                     const std::function<std::optional<std::filesystem::path>()>& next_file,
                                     const std::function<void(ImageLabels&&)>& write);

}  // namespace heed::tasks
