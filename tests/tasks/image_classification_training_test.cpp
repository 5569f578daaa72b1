// Training of an image classifier: what its batches hold, its loss, its validation, and the folder it writes.
#include "heed/tasks/image_classification_training.h"

#include <gmock/gmock.h>

#include <cmath>
#include <set>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/random.h"
#include "heed/train/trainer.h"
#include "shared_files.h"

namespace heed::tasks {
namespace {

using heed::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kSide = 8, kClasses = 3;

// `count` grey images in IDX files: a bright column at a place that tells the class, in noise.
std::filesystem::path put_images(const TemporaryFolder& folder, const std::string& name, int count, uint64_t seed) {
  const auto number = [](int n) { return std::string{0, 0, static_cast<char>(n >> 8), static_cast<char>(n)}; };
  std::string images = std::string("\0\0\x08\3", 4) + number(count) + number(kSide) + number(kSide);
  std::string labels = std::string("\0\0\x08\1", 4) + number(count);
  Random random(seed);
  for (int i = 0; i < count; ++i) {
    const auto label = static_cast<int>(random.below(kClasses));
    labels += static_cast<char>(label);
    for (int p = 0; p < kSide * kSide; ++p)
      images += static_cast<char>(random.below(60) + (p % kSide == 2 * label + 1 ? 180 : 0));
  }
  write_file_atomically(folder / (name + "-labels-idx1-ubyte"), labels);
  write_file_atomically(folder / (name + "-images-idx3-ubyte"), images);
  return folder / (name + "-images-idx3-ubyte");
}

class ImageTraining : public ::testing::Test {
 protected:
  ImageClassificationTrainingOptions options(const std::string& augment = "none") {
    ImageClassificationTrainingOptions o;
    o.start.family = "vit";
    o.start.structure.layers = 1;
    o.start.structure.d_model = 16;
    o.start.structure.heads = 2;
    o.train = put_images(folder_, "train", 60, 1);
    o.valid = put_images(folder_, "valid", 20, 2);
    o.augmentation = data::augmentation_from_text(augment);
    o.batch_size = 16;
    return o;
  }

  TemporaryFolder folder_;
};

// The first `count` batches of an epoch.
std::vector<StreamedBatch> batches_of(const TrainingTask& task, uint64_t epoch, size_t count) {
  const auto stream = task.batches().stream({epoch, 0}, 1);
  std::vector<StreamedBatch> batches;
  while (batches.size() < count) batches.push_back(stream->next());
  return batches;
}

const ImageTrainingBatch& images_in(const StreamedBatch& batch) {
  return static_cast<const ImageTrainingBatch&>(*batch.batch);
}

std::vector<float> pixels_in(const StreamedBatch& batch) { return images_in(batch).images.pixels.to_vector<float>(); }

TEST_F(ImageTraining, BatchesHoldNormalisedImages) {
  const ImageClassificationTraining task(options());
  EXPECT_THAT(task.report(), HasSubstr("60 images of 8 x 8 grey; 3 labels; 20 held out; augmentation: none"));
  EXPECT_EQ(task.batches().count(0), 4u);
  const auto images = data::LabelledImages::read(folder_ / "train-images-idx3-ubyte");
  double sum = 0, squares = 0;
  for (const StreamedBatch& batch : batches_of(task, 0, 4)) {
    const std::vector<float> pixels = pixels_in(batch);
    const ImageTrainingBatch& b = images_in(batch);
    EXPECT_TRUE(b.mixed.classes.empty());
    EXPECT_EQ(b.targets(), 15);
    for (size_t row = 0; row < b.images.examples.size(); ++row) {
      const uint32_t example = b.images.examples[row];
      EXPECT_EQ(std::to_string(b.wanted.classes[row]), images.label(example));
      const auto expected = task.classifier().pixels(images.image(example)).values;
      EXPECT_EQ(std::vector<float>(pixels.begin() + static_cast<ptrdiff_t>(row * expected.size()),
                                   pixels.begin() + static_cast<ptrdiff_t>((row + 1) * expected.size())),
                expected);
    }
    for (const float x : pixels) sum += x, squares += x * x;
  }
  EXPECT_NEAR(sum / (60 * kSide * kSide), 0, 1e-3);
  EXPECT_NEAR(squares / (60 * kSide * kSide), 1, 1e-2);
}

TEST_F(ImageTraining, BatchesAreAFunctionOfSeedAndEpochAndNotOfMemory) {
  ImageClassificationTrainingOptions o = options("crop=1,flip,erase=0.5,mixup=0.4");
  const ImageClassificationTraining one(o);
  o.memory_budget = 0;
  const ImageClassificationTraining reading(o);
  o.seed = 2;
  const ImageClassificationTraining other(o);
  for (const uint64_t epoch : {0, 3}) {
    const auto a = batches_of(one, epoch, 2), b = batches_of(reading, epoch, 2), c = batches_of(other, epoch, 2);
    for (size_t k = 0; k < a.size(); ++k) {
      EXPECT_EQ(pixels_in(a[k]), pixels_in(b[k]));
      EXPECT_EQ(images_in(a[k]).mixed.classes, images_in(b[k]).mixed.classes);
      EXPECT_NE(pixels_in(a[k]), pixels_in(c[k]));
    }
  }
}

TEST_F(ImageTraining, TheLossOfMixedImagesIsMixed) {
  ImageClassificationTrainingOptions o = options("mixup=1");
  o.label_smoothing = 0.1f;
  ImageClassificationTraining task(o);
  const StreamedBatch streamed = std::move(batches_of(task, 0, 1)[0]);
  const ImageTrainingBatch& batch = images_in(streamed);
  const BatchLoss loss = task.loss(batch, {}, 2);
  const NoGrad off;
  const std::vector<float> logits = task.classifier().model->logits(batch.images, {}).to_vector<float>();
  const auto rows = static_cast<size_t>(batch.targets());
  ASSERT_EQ(batch.mixed.weights.size(), rows);
  double expected = 0;
  for (size_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (size_t c = 0; c < kClasses; ++c) sum += std::exp(logits[row * kClasses + c]);
    EXPECT_NEAR(batch.wanted.weights[row] + batch.mixed.weights[row], 1, 1e-6);
    for (size_t c = 0; c < kClasses; ++c) {
      const auto is = [&](const models::Targets& t) { return static_cast<size_t>(t.classes[row]) == c; };
      const double wanted = batch.wanted.weights[row] * is(batch.wanted) + batch.mixed.weights[row] * is(batch.mixed);
      expected -= (0.9 * wanted + 0.1 / kClasses) * (logits[row * kClasses + c] - std::log(sum));
    }
  }
  EXPECT_NEAR(loss.loss_sum, expected, 1e-4);
  EXPECT_NEAR(loss.loss.item(), expected / 2, 1e-4);
}

TEST_F(ImageTraining, ValidationScoresTheHeldOutImages) {
  ImageClassificationTrainingOptions o = options();
  o.valid.clear();
  o.valid_fraction = 0.25;
  ImageClassificationTraining task(o);
  EXPECT_THAT(task.report(), HasSubstr("45 images of 8 x 8 grey; 3 labels; 15 held out"));
  const auto result = task.validate([] { return false; });
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->metrics[0].first, "loss");
  EXPECT_EQ(result->metrics[1].first, "accuracy");
  EXPECT_EQ(result->score, result->metrics[1].second);
  const auto images = data::LabelledImages::read(o.train);
  int right = 0;
  for (size_t i = 45; i < 60; ++i) {
    const auto scores = task.classifier().scores({task.classifier().pixels(images.image(i))});
    right += std::to_string(highest_scores(scores[0], 1)[0].label) == images.label(i);
  }
  EXPECT_DOUBLE_EQ(result->score, right / 15.0);
  EXPECT_FALSE(task.validate([] { return true; }).has_value());
}

TEST_F(ImageTraining, TheFolderClassifiesAndGoesOn) {
  ImageClassificationTrainingOptions o = options();
  o.label_names = {"left", "middle", "right"};
  ImageClassificationTraining task(o);
  io::write_model_folder(folder_ / "model", task.content());
  const Json processor = read_json(folder_ / "model/preprocessor_config.json");
  EXPECT_EQ(processor["size"], (Json{{"height", 8}, {"width", 8}}));
  EXPECT_EQ(processor["image_mean"].size(), 1u);
  const ImageClassifier loaded = ImageClassifier::load(folder_ / "model");
  EXPECT_THAT(loaded.model->labels(), ElementsAre("left", "middle", "right"));
  const data::Image image = data::LabelledImages::read(o.train).image(0);
  EXPECT_EQ(loaded.scores({loaded.pixels(image)}), task.classifier().scores({task.classifier().pixels(image)}));

  // On a trained body: the head stays if it has the labels, else it is a new one.
  const auto logits_of = [&](const ImageClassificationTrainingOptions& options) {
    const ImageClassificationTraining next(options);
    return next.classifier().scores({next.classifier().pixels(image)});
  };
  o.start.init = folder_ / "model";
  o.start.seed = 9;
  o.label_names.clear();
  EXPECT_EQ(logits_of(o), task.classifier().scores({task.classifier().pixels(image)}));
  o.label_names = {"a", "b", "c", "d"};
  EXPECT_EQ(logits_of(o)[0].size(), 4u);
  // Numbers are another head's names if they are not as many.
  ImageClassificationTraining four(o);
  io::write_model_folder(folder_ / "four", four.content());
  o.start.init = folder_ / "four";
  o.label_names.clear();
  EXPECT_EQ(logits_of(o)[0].size(), 3u);
  o.start.init.clear();
  o.start.resume = folder_ / "model";
  o.label_names = {"left", "middle", "right"};
  EXPECT_EQ(logits_of(o), task.classifier().scores({task.classifier().pixels(image)}));
}

TEST_F(ImageTraining, APartOfAModelOrAdaptersAreTrained) {
  ImageClassificationTraining first(options());
  io::write_model_folder(folder_ / "base", first.content());
  const auto changed = [&](const Tuning& tuning, const std::string& output) {
    ImageClassificationTrainingOptions o = options();
    o.start.init = folder_ / "base";
    o.start.tuning = tuning;
    ImageClassificationTraining task(o);
    EXPECT_NE(task.identity(), first.identity());
    train::TrainOptions course;
    course.output = folder_ / output;
    course.max_steps = 3;
    course.schedule.kind = optim::ScheduleKind::kConstant;
    course.schedule.peak = 1e-3;
    course.average = 0;
    train::TrainObserver observer;
    train::train(task, course, observer, [] { return false; });
    std::set<std::string> names;
    for (const auto& [name, tensor] : first.parameters().named())
      for (const auto& [other, trained] : task.parameters().named())
        if (name == other && tensor.to_vector<float>() != trained.to_vector<float>()) names.insert(name);
    return names;
  };
  Tuning tuning;
  tuning.rates.freeze_layers = 1;
  EXPECT_THAT(changed(tuning, "frozen"),
              ElementsAre("classifier.bias", "classifier.weight", "vit.layernorm.bias", "vit.layernorm.weight"));
  tuning = {};
  tuning.lora.rank = 2;
  EXPECT_THAT(changed(tuning, "lora"), ElementsAre("classifier.bias", "classifier.weight"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "lora/adapter/adapter_model.safetensors"));
  EXPECT_EQ(ImageClassifier::load(folder_ / "lora").model->parameters().count(), first.parameters().count());
}

TEST_F(ImageTraining, WhatDoesNotFitIsRefused) {
  const auto reason = [&](auto&& change) -> std::string {
    ImageClassificationTrainingOptions o = options();
    change(o);
    try {
      const ImageClassificationTraining task(o);
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  using O = ImageClassificationTrainingOptions;
  EXPECT_THAT(reason([](O& o) { o.start.structure.patch = 3; }),
              HasSubstr("8 x 8 cannot be cut into patches of 3 x 3"));
  EXPECT_THAT(reason([](O& o) {
                o.label_names = {"a", "b"};
              }),
              HasSubstr("its label is 2, but there are 2 classes: 0 to 1"));
  EXPECT_THAT(reason([](O& o) { o.valid.clear(), o.valid_fraction = 0.001; }), HasSubstr("leaves none"));
  EXPECT_THAT(reason([](O& o) { o.valid_fraction = 0.1; }), HasSubstr("not both"));
  EXPECT_THAT(reason([&](O& o) {
                const auto all = data::LabelledImages::read(o.train);
                write_file_atomically(folder_ / "one.csv", "path,label\nx.png,a\ny.png,a\n");
                o.train = folder_ / "one.csv";
              }),
              HasSubstr("one.csv: all images have the label \"a\""));
  EXPECT_THAT(reason([&](O& o) {
                write_file_atomically(folder_ / "two.csv", "path,label\nx.png,a\ny.png,b\n");
                o.train = folder_ / "two.csv";
                o.valid.clear();
              }),
              HasSubstr("two.csv:2: "));  // the first of them
}

}  // namespace
}  // namespace heed::tasks
