// heed train image-classification and heed evaluate image-classification as processes.
#include "cli/program_fixture.h"
#include "heed/base/random.h"

namespace heed::cli {
namespace {

using namespace heed::testing;
using ::testing::HasSubstr;

constexpr int kSide = 12;

class TrainImageClassification : public ProgramTest {
 protected:
  // Grey images in IDX files: a bright bar, upright or lying, at some place.
  std::string images(const std::string& name, int count, uint64_t seed) const {
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
    file(name + "-labels-idx1-ubyte", labels);
    return file(name + "-images-idx3-ubyte", pixels);
  }

  Arguments training(const std::string& output, const Arguments& more = {}) const {
    const Arguments arguments{"train",
                              "image-classification",
                              "--train",
                              images("train", 320, 1),
                              "--label-names",
                              file("names.txt", "upright\nlying\n"),
                              "--layers",
                              "1",
                              "--d-model",
                              "32",
                              "--heads",
                              "2",
                              "--batch-size",
                              "16",
                              "--threads",
                              "1",
                              "--learning-rate",
                              "3e-3",
                              "--output",
                              path(output),
                              "--valid-fraction",
                              "0.2"};
    return with_more(arguments, more);
  }
};

TEST_F(TrainImageClassification, LearnsScoresAndClassifies) {
  const auto trained = run_well(training("model", {"--max-epochs", "40", "--augment", "crop=1,flip", "--json"}));
  EXPECT_THAT(trained.error, HasSubstr("256 images of 12 x 12 grey; 2 labels; 64 held out; augmentation: crop=1,flip"));
  EXPECT_THAT(trained.error, HasSubstr("cosine"));
  const Json scores = run_json({"evaluate", "image-classification", "--model", path("model"), "--data",
                                images("test", 100, 3), "--predictions", path("found.tsv")});
  EXPECT_EQ(scores["examples"], 100);
  EXPECT_GE(scores["accuracy"].get<double>(), 0.95);
  const std::string found = read_file(path("found.tsv"));
  EXPECT_EQ(lines_of(found).size(), 100u);
  EXPECT_THAT(found, HasSubstr("test-images-idx3-ubyte: image 100\t"));

  // A colour file becomes grey for it.
  const std::string colour = source_path("tests/golden/images/rgb.png").string();
  const auto classified = run_well({"classify-image", "--model", path("model"), colour});
  EXPECT_THAT(classified.output, ::testing::ContainsRegex("rgb.png\t(upright|lying)\t"));
}

TEST_F(TrainImageClassification, GoesOnAsIfItHadNotStopped) {
  const Arguments all{"--augment", "crop,flip,erase,mixup", "--dropout", "0.1", "--schedule", "constant", "--warmup",
                      "3"};
  expect_goes_on_bit_for_bit([&](const std::string& output) { return training(output, all); }, 19, 40);
  run_refused(training("parts", {"--max-steps", "50", "--resume", "--augment", "none"}), 2, "augment");
}

TEST_F(TrainImageClassification, FoldersOfImagesAndANewHead) {
  for (const char* name : {"a/rgb.png", "a/wide.png", "b/grey.jpg", "b/dot.png"}) {
    std::filesystem::create_directories((folder_ / "photos" / std::filesystem::path(name)).parent_path());
    std::filesystem::copy(source_path("tests/golden/images") / std::filesystem::path(name).filename(),
                          folder_ / "photos" / std::filesystem::path(name));
  }
  const auto trained = run_well({"train",        "image-classification",
                                 "--train",      path("photos"),
                                 "--image-size", "8",
                                 "--layers",     "1",
                                 "--d-model",    "16",
                                 "--max-epochs", "30",
                                 "--batch-size", "4",
                                 "--augment",    "none",
                                 "--output",     path("model"),
                                 "--threads",    "1"});
  EXPECT_THAT(trained.error, HasSubstr("4 images of 8 x 8 colour; 2 labels; 0 held out"));
  const auto scored =
      run_well({"evaluate", "image-classification", "--model", path("model"), "--data", path("photos")});
  EXPECT_THAT(scored.output, HasSubstr("accuracy 1.0000"));

  const std::string table =
      file("t.csv", "file,class\nphotos/a/rgb.png,x\nphotos/b/dot.png,y\nphotos/a/wide.png,\"z\n1\"\n");
  const auto finer =
      run_well({"train", "image-classification", "--init", path("model"), "--train", table, "--max-steps", "100",
                "--learning-rate", "3e-3", "--augment", "none", "--threads", "1", "--output", path("finer")});
  EXPECT_THAT(finer.error, HasSubstr("new parameters: classifier.weight, classifier.bias"));
  EXPECT_EQ(read_json(folder_ / "finer/config.json")["id2label"].size(), 3u);
  // A label of two lines takes one of the file.
  run_well({"evaluate", "image-classification", "--model", path("finer"), "--data", table, "--predictions",
            path("found.tsv")});
  EXPECT_THAT(
      lines_of(read_file(path("found.tsv"))),
      ::testing::ElementsAre(::testing::EndsWith("\tx"), ::testing::EndsWith("\ty"), ::testing::EndsWith("\tz\\n1")));
  run_refused({"train", "image-classification", "--init", path("model"), "--train", table, "--image-size", "16",
               "--output", path("sized")},
              2, "--image-size cannot be chosen with --init");
}

TEST_F(TrainImageClassification, NamesWhatIsWrong) {
  const auto fails = [&](const Arguments& more, const std::string& message, int code) {
    run_refused(with_more({"train", "image-classification", "--output", path("bad")}, more), code, message);
    EXPECT_FALSE(std::filesystem::exists(path("bad")));
  };
  std::filesystem::create_directories(folder_ / "photos/cat");
  std::filesystem::create_directories(folder_ / "photos/dog");
  std::filesystem::copy(source_path("tests/golden/images/rgb.png"), folder_ / "photos/cat");
  std::filesystem::copy(source_path("tests/golden/images/cut_off.jpg"), folder_ / "photos/dog");
  fails({"--train", path("photos")}, "photos/dog/cut_off.jpg", 4);
  fails({"--train", path("nowhere")}, "nowhere: no such file or folder", 4);
  fails({"--train", file("t.csv", "path,label\nphotos/cat/rgb.png,a\nb\n")}, "t.csv:3", 4);
  fails({"--train", path("t.csv"), "--augment", "spin"}, "there is no \"spin\"", 2);
  const std::string idx = images("x", 4, 1);
  fails({"--train", idx, "--label-names", file("names", "a\na\n")}, "names:2: \"a\" is the name of a label before it",
        4);
  fails({"--train", idx, "--label-names", file("gap", "a\n\nb\n")}, "gap:2: expected the name of a label", 4);
  fails({"--train", idx, "--patch", "5"}, "cannot be cut into patches of 5 x 5", 2);
}

}  // namespace
}  // namespace heed::cli
