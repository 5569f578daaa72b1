// Image classification end to end: scores as transformers' pipeline gives them (tests/golden/images/classified.json),
// batches, bad files, folders.
#include "heed/tasks/image_classification.h"

#include <gmock/gmock.h>

#include "heed/base/error.h"
#include "heed/base/threads.h"
#include "shared_files.h"

namespace heed::tasks {
namespace {

using heed::testing::source_path;
using heed::testing::TemporaryFolder;
using ::testing::HasSubstr;
using Path = std::filesystem::path;

Path image(const std::string& name) { return source_path("tests/golden/images") / name; }

// A folder with the tiny model, and the processor that the recorded scores were made with; `change` is merged into its
// configuration.
void make_folder(const Path& folder, const Json& change = Json::object(),
                 const std::string& model = "vit_no_qkv_bias") {
  std::filesystem::create_directories(folder);
  const Path from = source_path("tests/golden/models") / model;
  std::filesystem::copy_file(from / "model.safetensors", folder / "model.safetensors");
  Json config = read_json(from / "config.json");
  config.update(change);
  write_json(folder / "config.json", config);
  write_json(folder / "preprocessor_config.json", read_json(image("classified.json"))["config"]);
}

std::vector<ImageLabels> classify(const ImageClassifier& classifier, const ClassifyImagesOptions& options,
                                  const std::vector<Path>& files, ClassifyImagesReport* report = nullptr) {
  std::vector<ImageLabels> results;
  size_t next = 0;
  const auto done = classify_images(
      classifier, options, [&] { return next < files.size() ? std::optional(files[next++]) : std::nullopt; },
      [&](ImageLabels&& labels) { results.push_back(std::move(labels)); });
  if (report) *report = done;
  return results;
}

TEST(ImageClassification, ScoresAsTransformersPipeline) {
  const TemporaryFolder folder;
  make_folder(folder / "several");
  make_folder(folder / "one", {{"problem_type", "single_label_classification"}});
  const Json files = read_json(image("classified.json"))["files"];
  for (const char* kind : {"several", "one"}) {
    const auto classifier = ImageClassifier::load(folder / kind);
    for (const auto& [name, expected] : files.items()) {
      const auto scores = classifier.scores({classifier.pixels(data::read_image(image(name)))});
      ASSERT_EQ(scores.size(), 1u);
      ASSERT_EQ(scores[0].size(), expected[kind].size());
      for (size_t i = 0; i < scores[0].size(); ++i)
        EXPECT_NEAR(scores[0][i], expected[kind][i].get<double>(), 2e-5) << name << " " << kind;
    }
  }
}

TEST(ImageClassification, BatchesAndThreadsChangeNothing) {
  const TemporaryFolder folder;
  make_folder(folder / "m");
  const auto classifier = ImageClassifier::load(folder / "m");
  std::vector<Path> files;
  for (const char* name : {"rgb.png", "wide.png", "tall.png", "dot.png", "cmyk.jpg", "grey.jpg", "rgb.png"})
    files.push_back(image(name));
  const int before = thread_count();
  set_thread_count(1);
  const auto alone = classify(classifier, {.batch_size = 1, .top_k = 4}, files);
  for (const int threads : {1, 2, 3}) {
    set_thread_count(threads);
    const auto together = classify(classifier, {.batch_size = 5, .top_k = 4}, files);
    ASSERT_EQ(together.size(), files.size());
    for (size_t i = 0; i < files.size(); ++i) {
      EXPECT_EQ(together[i].file, files[i]);
      ASSERT_EQ(together[i].best.size(), 4u);
      for (size_t k = 0; k < 4; ++k) {
        EXPECT_EQ(together[i].best[k].label, alone[i].best[k].label);
        EXPECT_EQ(together[i].best[k].score, alone[i].best[k].score);
      }
    }
  }
  set_thread_count(before);
}

TEST(ImageClassification, ABadFileEndsTheRunOrIsSkipped) {
  const TemporaryFolder folder;
  make_folder(folder / "m");
  const auto classifier = ImageClassifier::load(folder / "m");
  const std::vector<Path> files = {image("rgb.png"), image("cut_off.jpg"), image("absent.png"), image("wide.png")};
  std::vector<Path> written;
  size_t next = 0;
  try {
    classify_images(
        classifier, {.batch_size = 4}, [&] { return std::optional(files[next++]); },
        [&](ImageLabels&& labels) { written.push_back(labels.file); });
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("cut_off.jpg"));
  }
  EXPECT_EQ(written, (std::vector<Path>{files[0]}));

  ClassifyImagesReport report;
  const auto results = classify(classifier, {.batch_size = 3, .skip_bad = true}, files, &report);
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(report.images, 2u);
  EXPECT_EQ(report.bad, 2u);
  EXPECT_THAT(results[1].error, HasSubstr("cut_off.jpg"));
  EXPECT_TRUE(results[1].best.empty());
  EXPECT_THAT(results[2].error, HasSubstr("absent.png"));
  EXPECT_EQ(results[3].best.size(), 1u);
}

TEST(ImageClassification, GreyModels) {
  const TemporaryFolder folder;
  make_folder(folder / "m", Json::object(), "vit_oblong_grey");
  write_json(folder / "m/preprocessor_config.json",
             {{"size", {{"height", 12}, {"width", 20}}}, {"image_mean", 0.5}, {"image_std", 0.5}});
  const auto classifier = ImageClassifier::load(folder / "m");
  const auto pixels = classifier.pixels(data::Image{2, 2, 1, {1, 2, 3, 4}});
  EXPECT_EQ(classifier.scores({pixels})[0].size(), 3u);
  const data::Image colour = data::read_image(image("rgb.png"));
  EXPECT_EQ(classifier.pixels(colour).values, classifier.pixels(data::as_grey(colour)).values);
}

TEST(ImageClassification, OneLabelAlone) {
  const TemporaryFolder folder;
  make_folder(folder / "m", {{"problem_type", nullptr}, {"id2label", {{"0", "x"}}}});
  std::filesystem::remove(folder / "m/model.safetensors");
  // transformers' pipeline gives a probability unless the configuration says regression.
  const auto model = io::ModelFolder::open(source_path("tests/golden/models/vit_no_qkv_bias"));
  std::vector<io::NamedView> tensors;
  std::vector<Tensor> kept;
  for (const std::string& name : model.names()) {
    kept.push_back(model.load(name));
    if (name.starts_with("classifier.")) kept.back() = kept.back().slice_rows(2, 1).clone();
    tensors.push_back({name, kept.back().view()});
  }
  const Json config = read_json(folder / "m/config.json");
  std::vector<float> scores;
  for (const Json& problem : {Json(), Json("regression")}) {
    Json changed = config;
    changed["problem_type"] = problem;
    io::write_model_folder(folder / "n", {changed, std::nullopt, tensors, [&](const Path& to) {
                                            std::filesystem::copy_file(folder / "m/preprocessor_config.json",
                                                                       to / "preprocessor_config.json");
                                          }});
    const auto classifier = ImageClassifier::load(folder / "n");
    scores.push_back(classifier.scores({classifier.pixels(data::read_image(image("rgb.png")))})[0].at(0));
  }
  EXPECT_NEAR(scores[0], 0.8660804, 2e-5);  // as recorded for that label
  EXPECT_NEAR(scores[0], 1 / (1 + std::exp(-scores[1])), 1e-6);
}

TEST(ImageClassification, FoldersThatDoNotFit) {
  const TemporaryFolder folder;
  make_folder(folder / "m");
  std::filesystem::remove(folder / "m/preprocessor_config.json");
  EXPECT_THROW(ImageClassifier::load(folder / "m"), FormatError);
  write_json(folder / "m/preprocessor_config.json", {{"size", 13}});
  const auto classifier = ImageClassifier::load(folder / "m");
  try {
    classify(classifier, {}, {image("rgb.png")});
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("rgb.png: preprocessed, the image is [3, 13, 13]"));
  }
}

TEST(ImageClassification, HighestScores) {
  const auto best = highest_scores({0.1f, 0.5f, 0.5f, 0.9f}, 3);
  ASSERT_EQ(best.size(), 3u);
  EXPECT_EQ(best[0].label, 3);
  EXPECT_EQ(best[1].label, 1);
  EXPECT_EQ(best[2].label, 2);
  EXPECT_EQ(highest_scores({1}, 5).size(), 1u);
}

}  // namespace
}  // namespace heed::tasks
