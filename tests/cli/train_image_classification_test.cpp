// heed train image-classification and heed evaluate image-classification as processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "cli/run_program.h"
#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "heed/base/random.h"
#include "shared_files.h"

namespace heed::cli {
namespace {

using heed::testing::run_heed;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kSide = 12;

class TrainImageClassification : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_ / name; }

  // Grey images in IDX files: a bright bar, upright or lying, at some place.
  std::string images(const std::string& name, int count, uint64_t seed) {
    const auto number = [](int n) { return std::string{0, 0, static_cast<char>(n >> 8), static_cast<char>(n)}; };
    std::string pixels = std::string("\0\0\x08\3", 4) + number(count) + number(kSide) + number(kSide);
    std::string labels = std::string("\0\0\x08\1", 4) + number(count);
    Random random(seed);
    for (int i = 0; i < count; ++i) {
      const bool lies = random.below(2) == 1;
      const auto place = static_cast<int>(1 + random.below(kSide - 2));
      labels += static_cast<char>(lies);
      for (int y = 0; y < kSide; ++y)
        for (int x = 0; x < kSide; ++x)
          pixels += static_cast<char>(random.below(40) + ((lies ? y : x) == place ? 200 : 0));
    }
    write_file_atomically(folder_ / (name + "-labels-idx1-ubyte"), labels);
    write_file_atomically(folder_ / (name + "-images-idx3-ubyte"), pixels);
    return path(name + "-images-idx3-ubyte");
  }

  std::vector<std::string> training(const std::string& output, const std::vector<std::string>& more = {}) {
    write_file_atomically(folder_ / "names.txt", "upright\nlying\n");
    std::vector<std::string> arguments{"train",
                                       "image-classification",
                                       "--train",
                                       images("train", 320, 1),
                                       "--valid-fraction",
                                       "0.2",
                                       "--label-names",
                                       path("names.txt"),
                                       "--layers",
                                       "1",
                                       "--d-model",
                                       "32",
                                       "--heads",
                                       "2",
                                       "--batch-size",
                                       "16",
                                       "--learning-rate",
                                       "3e-3",
                                       "--threads",
                                       "1",
                                       "--output",
                                       path(output)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  heed::testing::TemporaryFolder folder_;
};

TEST_F(TrainImageClassification, LearnsScoresAndClassifies) {
  const auto trained = run_heed(training("model", {"--max-epochs", "40", "--augment", "crop=1,flip", "--json"}));
  ASSERT_EQ(trained.exit_code, 0) << trained.error;
  EXPECT_THAT(trained.error, HasSubstr("256 images of 12 x 12 grey; 2 labels; 64 held out; augmentation: crop=1,flip"));
  EXPECT_THAT(trained.error, HasSubstr("cosine"));
  const auto evaluated = run_heed({"evaluate", "image-classification", "--model", path("model"), "--data",
                                   images("test", 100, 3), "--predictions", path("found.tsv"), "--json"});
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.error;
  const Json scores = parse_json(evaluated.output, "output");
  EXPECT_EQ(scores["examples"], 100);
  EXPECT_GE(scores["accuracy"].get<double>(), 0.95);
  const std::string found = read_file(path("found.tsv"));
  EXPECT_EQ(std::count(found.begin(), found.end(), '\n'), 100);
  EXPECT_THAT(found, HasSubstr("test-images-idx3-ubyte: image 100\t"));

  // A colour file becomes grey for it.
  const std::string file = testing::source_path("tests/golden/images/rgb.png").string();
  const auto classified = run_heed({"classify-image", "--model", path("model"), file});
  EXPECT_EQ(classified.exit_code, 0) << classified.error;
  EXPECT_THAT(classified.output, ::testing::ContainsRegex("rgb.png\t(upright|lying)\t"));
}

TEST_F(TrainImageClassification, GoesOnAsIfItHadNotStopped) {
  const std::vector<std::string> all{
      "--augment", "crop,flip,erase,mixup", "--dropout", "0.1", "--schedule", "constant", "--warmup", "3"};
  const auto run = [&](const std::string& output, std::vector<std::string> more) {
    more.insert(more.end(), all.begin(), all.end());
    const auto result = run_heed(training(output, more));
    ASSERT_EQ(result.exit_code, 0) << result.error;
  };
  run("parts", {"--max-steps", "19"});
  run("parts", {"--max-steps", "40", "--resume"});
  run("unbroken", {"--max-steps", "40"});
  EXPECT_EQ(read_file(path("parts/checkpoints/step-000040/model.safetensors")),
            read_file(path("unbroken/checkpoints/step-000040/model.safetensors")));
  const auto other = run_heed(training("parts", {"--max-steps", "50", "--resume", "--augment", "none"}));
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.error, HasSubstr("augment"));
}

TEST_F(TrainImageClassification, FoldersOfImagesAndANewHead) {
  for (const char* name : {"a/rgb.png", "a/wide.png", "b/grey.jpg", "b/dot.png"}) {
    std::filesystem::create_directories((folder_ / "photos" / std::filesystem::path(name)).parent_path());
    std::filesystem::copy(testing::source_path("tests/golden/images") / std::filesystem::path(name).filename(),
                          folder_ / "photos" / std::filesystem::path(name));
  }
  const auto trained = run_heed({"train",        "image-classification",
                                 "--train",      path("photos"),
                                 "--image-size", "8",
                                 "--layers",     "1",
                                 "--d-model",    "16",
                                 "--max-epochs", "30",
                                 "--batch-size", "4",
                                 "--augment",    "none",
                                 "--output",     path("model"),
                                 "--threads",    "1"});
  ASSERT_EQ(trained.exit_code, 0) << trained.error;
  EXPECT_THAT(trained.error, HasSubstr("4 images of 8 x 8 colour; 2 labels; 0 held out"));
  const auto scored =
      run_heed({"evaluate", "image-classification", "--model", path("model"), "--data", path("photos")});
  EXPECT_EQ(scored.exit_code, 0) << scored.error;
  EXPECT_THAT(scored.output, HasSubstr("accuracy 1.0000"));

  write_file_atomically(folder_ / "t.csv", "file,class\nphotos/a/rgb.png,x\nphotos/b/dot.png,y\nphotos/a/wide.png,z\n");
  const auto finer = run_heed({"train", "image-classification", "--init", path("model"), "--train", path("t.csv"),
                               "--max-steps", "2", "--threads", "1", "--output", path("finer")});
  ASSERT_EQ(finer.exit_code, 0) << finer.error;
  EXPECT_THAT(finer.error, HasSubstr("new parameters: classifier.weight, classifier.bias"));
  EXPECT_EQ(read_json(folder_ / "finer/config.json")["id2label"].size(), 3u);
  const auto sized = run_heed({"train", "image-classification", "--init", path("model"), "--train", path("t.csv"),
                               "--image-size", "16", "--output", path("sized")});
  EXPECT_EQ(sized.exit_code, 2);
  EXPECT_THAT(sized.error, HasSubstr("--image-size cannot be chosen with --init"));
}

TEST_F(TrainImageClassification, NamesWhatIsWrong) {
  const auto fails = [&](const std::vector<std::string>& more, const std::string& message, int code) {
    std::vector<std::string> arguments{"train", "image-classification", "--output", path("bad")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto result = run_heed(arguments);
    EXPECT_EQ(result.exit_code, code) << result.error;
    EXPECT_THAT(result.error, HasSubstr(message));
    EXPECT_FALSE(std::filesystem::exists(path("bad")));
  };
  std::filesystem::create_directories(folder_ / "photos/cat");
  std::filesystem::create_directories(folder_ / "photos/dog");
  std::filesystem::copy(testing::source_path("tests/golden/images/rgb.png"), folder_ / "photos/cat");
  std::filesystem::copy(testing::source_path("tests/golden/images/cut_off.jpg"), folder_ / "photos/dog");
  fails({"--train", path("photos")}, "photos/dog/cut_off.jpg", 4);
  fails({"--train", path("nowhere")}, "nowhere: no such file or folder", 4);
  write_file_atomically(folder_ / "t.csv", "path,label\nphotos/cat/rgb.png,a\nb\n");
  fails({"--train", path("t.csv")}, "t.csv:3", 4);
  fails({"--train", path("t.csv"), "--augment", "spin"}, "there is no \"spin\"", 2);
  const std::string idx = images("x", 4, 1);
  fails({"--train", idx, "--patch", "5"}, "cannot be cut into patches of 5 x 5", 2);
}

}  // namespace
}  // namespace heed::cli
