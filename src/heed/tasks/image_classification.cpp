#include "heed/tasks/image_classification.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "heed/base/error.h"
#include "heed/base/threads.h"
#include "heed/io/model_folder.h"
#include "heed/models/registry.h"

namespace heed::tasks {
namespace {

float sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

void softmax(std::vector<float>& x) {
  const float most = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (float& value : x) sum += value = std::exp(value - most);
  for (float& value : x) value = static_cast<float>(value / sum);
}

// As transformers' pipeline does: one label alone is a probability, unless the configuration says regression.
void to_scores(std::vector<float>& logits, const models::ImageModel& model) {
  const Json& config = model.config();
  const bool stated = config.contains("problem_type") && !config["problem_type"].is_null();
  if (model.problem() == models::Problem::kSingleLabel) return softmax(logits);
  if (model.problem() == models::Problem::kRegression && stated) return;
  for (float& x : logits) x = sigmoid(x);
}

// One file of a batch, read.
struct Loaded {
  std::filesystem::path file;
  data::PixelValues pixels;
  std::exception_ptr error;
};

Loaded load_file(const ImageClassifier& classifier, const std::filesystem::path& file) {
  Loaded loaded{file, {}, nullptr};
  try {
    const data::Image image = data::read_image(file);
    try {
      loaded.pixels = classifier.pixels(image);
    } catch (const DataError& error) {
      fail<DataError>("{}: {}", file.string(), error.what());
    }
  } catch (...) {
    loaded.error = std::current_exception();
  }
  return loaded;
}

// Whether the error is about the file alone; its text.
std::optional<std::string> file_error(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const DataError& e) {
    return e.what();
  } catch (const IoError& e) {
    return e.what();
  } catch (...) {
    return std::nullopt;
  }
}

// Classifies a batch up to the first file that ends the run.
void classify_batch(const ImageClassifier& classifier, const ClassifyImagesOptions& options,
                    std::vector<Loaded>&& batch, ClassifyImagesReport& report,
                    const std::function<void(ImageLabels&&)>& write) {
  const auto ends_run = [&](const Loaded& x) { return x.error && !(options.skip_bad && file_error(x.error)); };
  const auto end = std::find_if(batch.begin(), batch.end(), ends_run);
  std::vector<data::PixelValues> images;
  for (auto it = batch.begin(); it != end; ++it)
    if (!it->error) images.push_back(std::move(it->pixels));
  const auto scores = classifier.scores(images);
  auto next = scores.begin();
  for (auto it = batch.begin(); it != end; ++it) {
    if (it->error) {
      ++report.bad;
      write({it->file, {}, *file_error(it->error)});
    } else {
      ++report.images;
      write({it->file, highest_scores(*next++, options.top_k), {}});
    }
  }
  if (end != batch.end()) std::rethrow_exception(end->error);
}

}  // namespace

ImageClassifier ImageClassifier::load(const std::filesystem::path& path, const models::LoadOptions& options) {
  const io::ModelFolder folder = io::ModelFolder::open(path);
  std::shared_ptr<const models::ImageModel> model = models::load_as<models::ImageModel>(folder, options);
  check<ConfigError>(!model->labels().empty(), "{}: the model has no classification head (see architectures)",
                     (path / "config.json").string());
  return {std::move(model), data::ImageProcessor::read(folder.file(data::ImageProcessor::kFileName))};
}

data::Image ImageClassifier::resized(const data::Image& image) const {
  const models::ImageShape want = model->image_shape();
  const data::Image in = want.channels == 3 ? data::as_rgb(image) : want.channels == 1 ? data::as_grey(image) : image;
  data::Image result = processor.resized(in);
  check<DataError>(result.channels == want.channels && result.height == want.height && result.width == want.width,
                   "preprocessed, the image is [{}, {}, {}] (channels, height, width); the model takes [{}, {}, {}]",
                   result.channels, result.height, result.width, want.channels, want.height, want.width);
  return result;
}

std::vector<std::vector<float>> ImageClassifier::scores(const std::vector<data::PixelValues>& images) const {
  if (images.empty()) return {};
  const models::ImageShape shape = model->image_shape();
  const auto count = static_cast<int64_t>(images.size());
  const Tensor pixels = Tensor::empty({count, shape.channels, shape.height, shape.width});
  float* out = pixels.data<float>();
  for (const data::PixelValues& image : images) out = std::copy(image.values.begin(), image.values.end(), out);
  const NoGrad off;
  const std::vector<float> logits = model->logits(pixels, {}).to_vector<float>();
  const auto labels = static_cast<std::ptrdiff_t>(model->labels().size());
  std::vector<std::vector<float>> result;
  for (auto row = logits.begin(); row != logits.end(); row += labels)
    to_scores(result.emplace_back(row, row + labels), *model);
  return result;
}

std::vector<LabelScore> highest_scores(const std::vector<float>& scores, size_t count) {
  std::vector<int> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  const auto score = [&](int label) { return scores[static_cast<size_t>(label)]; };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return score(a) > score(b); });
  std::vector<LabelScore> best;
  for (size_t i = 0; i < std::min(count, order.size()); ++i) best.push_back({order[i], score(order[i])});
  return best;
}

ClassifyImagesReport classify_images(const ImageClassifier& classifier, const ClassifyImagesOptions& options,
                                     const std::function<std::optional<std::filesystem::path>()>& next_file,
                                     const std::function<void(ImageLabels&&)>& write) {
  check<UsageError>(options.batch_size > 0, "a batch needs at least one image");
  ClassifyImagesReport report;
  for (;;) {
    std::vector<std::filesystem::path> files;
    while (files.size() < options.batch_size) {
      auto file = next_file();
      if (!file) break;
      files.push_back(*std::move(file));
    }
    if (files.empty()) return report;
    std::vector<Loaded> batch(files.size());
    parallel_for(std::ssize(files), 1, [&](int64_t begin, int64_t end, int) {
      for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
        batch[i] = load_file(classifier, files[i]);
    });
    classify_batch(classifier, options, std::move(batch), report, write);
  }
}

}  // namespace heed::tasks
