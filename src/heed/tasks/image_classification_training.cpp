#include "heed/tasks/image_classification_training.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>

#include "heed/base/log.h"
#include "heed/base/threads.h"
#include "heed/models/classification.h"
#include "heed/tasks/classification_scores.h"
#include "heed/tasks/held_out.h"

namespace heed::tasks {
namespace fs = std::filesystem;
namespace {

constexpr size_t kValidationBatch = 128;
constexpr int kUsualSize = 64;

// The labels that the head shall have. Where they are numbers, as in IDX files, a head of as many labels knows them.
std::vector<std::string> choose_labels(const ModelStart& start, const std::vector<std::string>& wanted, bool numbers) {
  constexpr const char* kHead = "ForImageClassification";
  if (auto known = known_labels(start, kHead); numbers && known.size() == wanted.size()) return known;
  return labels_for(start, kHead, wanted);
}

// What transformers' ViTImageProcessor reads: the size, and the values that occur brought to mean 0 and deviation 1.
Json processor_config(const models::ImageShape& shape, const std::vector<std::array<uint64_t, 256>>& histogram) {
  // Four digits are more than enough, and readable.
  const auto rounded = [](double x) { return std::round(x * 1e4) / 1e4; };
  Json means = Json::array(), deviations = Json::array();
  for (const auto& counts : histogram) {
    double n = 0, sum = 0, squares = 0;
    for (size_t value = 0; value < counts.size(); ++value) {
      const double x = static_cast<double>(value) / 255, count = static_cast<double>(counts[value]);
      n += count;
      sum += count * x;
      squares += count * x * x;
    }
    const double mean = sum / n, deviation = rounded(std::sqrt(std::max(0.0, squares / n - mean * mean)));
    means.push_back(rounded(mean));
    deviations.push_back(deviation > 0 ? deviation : 1.0);
  }
  return {{"do_normalize", true},
          {"do_rescale", true},
          {"do_resize", true},
          {"image_mean", means},
          {"image_processor_type", "ViTImageProcessor"},
          {"image_std", deviations},
          {"resample", static_cast<int>(data::Resample::kBilinear)},
          {"rescale_factor", 1.0 / 255},
          {"size", {{"height", shape.height}, {"width", shape.width}}}};
}

}  // namespace

ImageClassificationTraining::ImageClassificationTraining(ImageClassificationTrainingOptions options)
    : options_(std::move(options)), augmentation_(options_.augmentation, options_.seed) {
  split();
  std::vector<std::string> labels = options_.label_names;
  if (labels.empty()) labels = data::labels_of(train_.images);
  labels = choose_labels(options_.start, labels, train_.images.idx() != nullptr && options_.label_names.empty());
  check<DataError>(labels.size() > 1, "{}: all images have the label \"{}\"", options_.train.string(), labels.front());
  train_.classes = data::classes_of(train_.images, labels);
  valid_.classes = data::classes_of(valid_.images, labels);
  start(labels);

  const std::vector<uint32_t> lengths(train_.images.size(), 1);
  batches_ = std::make_unique<ExampleBatches>(
      lengths, options_.batch_size, 0, options_.seed,
      [this](uint64_t epoch, std::span<const uint32_t> examples) { return make_batch(epoch, examples); });
  const models::ImageShape shape = model_->image_shape();
  report_ = fmt::format("{} images of {} x {} {}; {} labels; {} held out; augmentation: {}", train_.images.size(),
                        shape.height, shape.width, shape.channels == 1 ? "grey" : "colour", labels.size(),
                        valid_.images.size(), options_.augmentation.text());
}

void ImageClassificationTraining::split() {
  data::LabelledImages all = data::LabelledImages::read(options_.train, options_.columns);
  if (all.by_label()) all.shuffle();
  if (options_.max_examples > 0 && options_.max_examples < all.size()) all = all.part(0, options_.max_examples);
  const size_t kept = kept_for_training(all.size(), "images", options_.train, options_.valid, options_.valid_fraction);
  if (!options_.valid.empty()) {
    valid_.images = data::LabelledImages::read(options_.valid, options_.columns);
  } else if (kept < all.size()) {
    valid_.images = all.part(kept, all.size());
    all = all.part(0, kept);
  }
  train_.images = std::move(all);
}

models::ImageShape ImageClassificationTraining::new_shape() const {
  const data::IdxImages* idx = train_.images.idx();
  models::ImageShape shape{options_.channels, options_.image_size, options_.image_size};
  if (shape.channels == 0) shape.channels = idx ? 1 : 3;
  if (options_.image_size == 0) shape.height = idx ? idx->height : kUsualSize;
  if (options_.image_size == 0) shape.width = idx ? idx->width : kUsualSize;
  const int patch = options_.start.structure.patch;
  check<UsageError>(shape.height % patch == 0 && shape.width % patch == 0,
                    "images of {} x {} cannot be cut into patches of {} x {} (--image-size, --patch)", shape.height,
                    shape.width, patch, patch);
  return shape;
}

void ImageClassificationTraining::start(const std::vector<std::string>& labels) {
  const fs::path& from = options_.start.from();
  models::NewModel wanted = options_.start.structure;
  wanted.head = models::Head::kSequenceClassification;
  wanted.labels = labels;
  wanted.problem = models::Problem::kSingleLabel;
  if (from.empty()) wanted.image = new_shape();
  started_ = start_model_alone(options_.start, wanted);
  model_ = model_as<models::ImageModel>(started_);
  started_.save_inputs = [this](const fs::path& folder) {
    write_json(folder / data::ImageProcessor::kFileName, classifier_.processor.config());
  };
  if (from.empty())
    classifier_.processor = data::ImageProcessor(
        processor_config(wanted.image, Histogram(static_cast<size_t>(wanted.image.channels), {1})), "the new model");
  else
    classifier_.processor =
        data::ImageProcessor::read(io::ModelFolder::open(from).file(data::ImageProcessor::kFileName));
  classifier_.model = model_;

  const models::ImageShape shape = model_->image_shape();
  const auto bytes = static_cast<uint64_t>(shape.channels) * static_cast<uint64_t>(shape.height) *
                     static_cast<uint64_t>(shape.width) * (train_.images.size() + valid_.images.size());
  const bool keep = bytes <= options_.memory_budget;
  if (!keep) log().info("{} MiB of pixels exceed the budget: images are read again for each batch", bytes >> 20);
  const Histogram histogram = read_all(train_, keep);
  read_all(valid_, keep);
  if (from.empty()) classifier_.processor = data::ImageProcessor(processor_config(shape, histogram), "the new model");
}

ImageClassificationTraining::Histogram ImageClassificationTraining::read_all(Examples& examples, bool keep) const {
  const models::ImageShape shape = model_->image_shape();
  const auto channels = static_cast<size_t>(shape.channels);
  const size_t size = channels * static_cast<size_t>(shape.height) * static_cast<size_t>(shape.width);
  std::vector<uint8_t> pixels(keep ? size * examples.images.size() : 0);
  Histogram total(channels);
  std::mutex mutex;
  parallel_for(std::ssize(examples.classes), 16, [&](int64_t begin, int64_t end, int) {
    Histogram counts(channels);
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const data::Image image = resized(examples, i);
      for (size_t p = 0; p < size; ++p) ++counts[p % channels][image.pixels[p]];
      if (keep) std::copy(image.pixels.begin(), image.pixels.end(), pixels.begin() + static_cast<ptrdiff_t>(i * size));
    }
    const std::lock_guard lock(mutex);
    for (size_t c = 0; c < channels; ++c)
      for (size_t v = 0; v < counts[c].size(); ++v) total[c][v] += counts[c][v];
  });
  examples.pixels = std::move(pixels);
  return total;
}

data::Image ImageClassificationTraining::resized(const Examples& examples, size_t i) const {
  if (examples.pixels.empty()) {
    const data::Image image = examples.images.image(i);
    try {
      return classifier_.resized(image);
    } catch (const DataError& e) {
      fail<DataError>("{}: {}", examples.images.place(i), e.what());
    }
  }
  const models::ImageShape shape = model_->image_shape();
  data::Image image = data::blank_image(shape.width, shape.height, shape.channels);
  std::copy_n(examples.pixels.begin() + static_cast<ptrdiff_t>(i * image.pixels.size()), image.pixels.size(),
              image.pixels.begin());
  return image;
}

std::unique_ptr<TrainingBatch> ImageClassificationTraining::make_batch(uint64_t epoch,
                                                                       std::span<const uint32_t> examples) const {
  auto batch = std::make_unique<ImageTrainingBatch>();
  const auto values_of = [&](uint32_t i) {
    return classifier_.processor.values(augmentation_(resized(train_, i), epoch, i)).values;
  };
  const models::ImageShape shape = model_->image_shape();
  batch->images.pixels = Tensor::empty({std::ssize(examples), shape.channels, shape.height, shape.width});
  float* out = batch->images.pixels.data<float>();
  for (const uint32_t i : examples) {
    std::vector<float> values = values_of(i);
    batch->wanted.classes.push_back(train_.classes[i]);
    if (const auto mix = augmentation_.mix(epoch, i, static_cast<uint32_t>(train_.images.size()))) {
      const std::vector<float> other = values_of(mix->partner);
      for (size_t p = 0; p < values.size(); ++p) values[p] = mix->share * values[p] + (1 - mix->share) * other[p];
      batch->mixed.classes.push_back(train_.classes[mix->partner]);
      batch->wanted.weights.push_back(mix->share);
      batch->mixed.weights.push_back(1 - mix->share);
    }
    out = std::copy(values.begin(), values.end(), out);
  }
  batch->images.examples.assign(examples.begin(), examples.end());
  batch->place = describe_examples(examples, [this](uint32_t i) { return train_.images.place(i); });
  return batch;
}

// The cross entropy with a mixed label is the mix of two cross entropies.
BatchLoss ImageClassificationTraining::loss(const TrainingBatch& batch, const nn::Pass& pass, double divisor) const {
  const auto& b = static_cast<const ImageTrainingBatch&>(batch);
  const models::LossOptions options{options_.label_smoothing, divisor, pass};
  const Tensor logits = model_->logits(b.images, pass);
  const auto part = [&](const models::Targets& targets) {
    return models::classification_loss(model_->problem(), logits, targets, options);
  };
  models::HeadLoss own = part(b.wanted);
  if (b.mixed.classes.empty()) return {std::move(own.loss), own.loss_sum};
  const models::HeadLoss other = part(b.mixed);
  return {ops::add(own.loss, other.loss), own.loss_sum + other.loss_sum};
}

std::optional<ValidationResult> ImageClassificationTraining::validate(const StopFlag& stop) {
  std::vector<std::vector<float>> outputs;
  for (size_t begin = 0; begin < valid_.images.size(); begin += kValidationBatch) {
    if (stop()) return std::nullopt;
    std::vector<data::PixelValues> values;
    for (size_t i = begin; i < std::min(begin + kValidationBatch, valid_.images.size()); ++i)
      values.push_back(classifier_.processor.values(resized(valid_, i)));
    for (auto& scores : classifier_.scores(values)) outputs.push_back(std::move(scores));
  }
  return classification_validation(models::Problem::kSingleLabel, {valid_.classes, {}}, outputs);
}

Json ImageClassificationTraining::identity() const {
  Json json = common_identity(options_.start);
  for (const char* text : {"tokenizer", "vocab-size", "tokenizer-kind", "lowercase", "positions"}) json.erase(text);
  const models::ImageShape shape = model_->image_shape();
  if (options_.start.init.empty()) json["patch"] = options_.start.structure.patch;
  json["image-size"] = fmt::format("{} x {}", shape.height, shape.width);
  json["channels"] = shape.channels;
  json["label-smoothing"] = options_.label_smoothing;
  json["augment"] = options_.augmentation.text();
  json["train"] = fmt::format("{} images of {}", train_.images.size(), fmt::join(model_->labels(), ", "));
  return json;
}

}  // namespace heed::tasks
