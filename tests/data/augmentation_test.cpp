// Augmentation: each change does what it says, as often as it says, and is a function of seed, epoch and example alone.
#include "heed/data/augmentation.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "made_files.h"
#include "message_of.h"

namespace heed::data {
namespace {

using heed::testing::message_of;
using ::testing::HasSubstr;

// Pixels 1, 2, 3, … in reading order.
Image counting(int width, int height, int channels = 1) {
  Image image = blank_image(width, height, channels);
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>(i + 1);
  return image;
}

TEST(Augmentation, TextBecomesOptions) {
  EXPECT_EQ(augmentation_from_text("none"), AugmentationOptions());
  EXPECT_EQ(augmentation_from_text("crop,flip,erase,mixup"),
            (AugmentationOptions{.crop = -1, .flip = true, .erase = 0.25, .mixup = 0.2}));
  EXPECT_EQ(augmentation_from_text("mixup=1,crop=2,erase=0.5"),
            (AugmentationOptions{.crop = 2, .erase = 0.5, .mixup = 1}));
  for (const char* text : {"none", "crop", "crop=3,flip,erase=0.1,mixup=0.4"})
    EXPECT_EQ(augmentation_from_text(text).text(), text);
  const auto reason = [](const char* text) { return message_of<UsageError>([&] { augmentation_from_text(text); }); };
  EXPECT_THAT(reason("crop,rotate"), HasSubstr("there is no \"rotate\""));
  EXPECT_THAT(reason(""), HasSubstr("there is no \"\""));
  EXPECT_THAT(reason("erase=2"), HasSubstr("erase=2: a number from 0 to 1"));
  EXPECT_THAT(reason("crop=1.5"), HasSubstr("whole number"));
  EXPECT_THAT(reason("crop=x"), HasSubstr("a number from 0"));
  EXPECT_THAT(reason("flip=1"), HasSubstr("flip takes no number"));
}

TEST(Augmentation, MovedAndMirrored) {
  const Image image = counting(3, 2);
  EXPECT_EQ(moved(image, 0, 0), image);
  EXPECT_EQ(moved(image, 1, 0).pixels, (std::vector<uint8_t>{0, 1, 2, 0, 4, 5}));
  EXPECT_EQ(moved(image, -2, 1).pixels, (std::vector<uint8_t>{0, 0, 0, 3, 0, 0}));
  EXPECT_EQ(moved(image, 0, -1).pixels, (std::vector<uint8_t>{4, 5, 6, 0, 0, 0}));
  EXPECT_EQ(moved(image, 3, 0), blank_image(3, 2, 1));
  EXPECT_EQ(moved(image, 0, -9), blank_image(3, 2, 1));
  EXPECT_EQ(mirrored(image).pixels, (std::vector<uint8_t>{3, 2, 1, 6, 5, 4}));
  const Image colour = counting(2, 1, 3);
  EXPECT_EQ(mirrored(colour).pixels, (std::vector<uint8_t>{4, 5, 6, 1, 2, 3}));
  EXPECT_EQ(moved(colour, 1, 0).pixels, (std::vector<uint8_t>{0, 0, 0, 1, 2, 3}));
}

TEST(Augmentation, CropDrawsEveryPlaceAboutEquallyOften) {
  const Image image = counting(5, 4);
  const Augmentation augmentation({.crop = 1}, 3);
  // As text: gcc 12 mistrusts the comparison of vectors of bytes.
  const auto text_of = [](const Image& i) { return std::string(i.pixels.begin(), i.pixels.end()); };
  std::map<std::string, int> seen;
  for (uint32_t i = 0; i < 1800; ++i) ++seen[text_of(augmentation(image, 0, i))];
  std::set<std::string> expected;
  for (int dx = -1; dx <= 1; ++dx)
    for (int dy = -1; dy <= 1; ++dy) expected.insert(text_of(moved(image, dx, dy)));
  EXPECT_EQ(seen.size(), expected.size());
  for (const auto& [pixels, count] : seen) {
    EXPECT_TRUE(expected.contains(pixels));
    EXPECT_NEAR(count, 200, 60);
  }
}

TEST(Augmentation, FlipTurnsEverySecond) {
  const Image image = counting(4, 3);
  const Augmentation augmentation({.flip = true}, 3);
  int turned = 0;
  for (uint32_t i = 0; i < 1000; ++i) {
    const Image result = augmentation(image, 1, i);
    turned += result == mirrored(image);
    EXPECT_TRUE(result == image || result == mirrored(image));
  }
  EXPECT_NEAR(turned, 500, 60);
}

TEST(Augmentation, EraseCoversARectangleOfTheSaidArea) {
  const Image image = blank_image(40, 30, 3);
  const Augmentation augmentation({.erase = 0.5}, 3);
  int erased = 0;
  double least = 1, most = 0;
  for (uint32_t i = 0; i < 1000; ++i) {
    const Image result = augmentation(image, 2, i);
    int left = image.width, right = -1, top = image.height, bottom = -1;
    for (int y = 0; y < image.height; ++y)
      for (int x = 0; x < image.width; ++x)
        if (std::any_of(result.row(y) + 3 * x, result.row(y) + 3 * x + 3, [](uint8_t v) { return v != 0; })) {
          left = std::min(left, x), right = std::max(right, x);
          top = std::min(top, y), bottom = std::max(bottom, y);
        }
    if (right < 0) continue;
    ++erased;
    const double width = right - left + 1, height = bottom - top + 1, share = width * height / (40 * 30);
    least = std::min(least, share), most = std::max(most, share);
    EXPECT_LT(share, 0.36);
    EXPECT_LT(std::max(width / height, height / width), 4);
    // Noise: hardly a pixel of the rectangle stays black.
    int black = 0;
    for (int y = top; y <= bottom; ++y)
      for (int x = left; x <= right; ++x) black += result.row(y)[3 * x] == 0;
    EXPECT_LT(black, 0.05 * width * height + 3);
  }
  EXPECT_NEAR(erased, 500, 60);
  EXPECT_LT(least, 0.04);
  EXPECT_GT(most, 0.3);
}

TEST(Augmentation, MixupDrawsFromBeta) {
  for (const double alpha : {0.2, 1.0, 4.0}) {
    const Augmentation augmentation({.mixup = alpha}, 3);
    constexpr uint32_t kExamples = 7;
    constexpr int kDraws = 20000;
    double sum = 0, squares = 0;
    std::vector<int> partners(kExamples);
    for (uint32_t i = 0; i < kDraws; ++i) {
      const auto mix = augmentation.mix(i / kExamples, i % kExamples, kExamples);
      ASSERT_TRUE(mix.has_value());
      ASSERT_TRUE(mix->share >= 0 && mix->share <= 1);
      sum += mix->share;
      squares += mix->share * mix->share;
      ++partners.at(mix->partner);
    }
    const double mean = sum / kDraws;
    EXPECT_NEAR(mean, 0.5, 0.01);
    EXPECT_NEAR(squares / kDraws - mean * mean, 1 / (4 * (2 * alpha + 1)), 0.004);  // the variance of Beta
    for (const int count : partners) EXPECT_NEAR(count, kDraws / kExamples, 250);
  }
  EXPECT_TRUE(std::isfinite(Augmentation({.mixup = 1e-4}, 1).mix(0, 0, 9)->share));
  EXPECT_FALSE(Augmentation({.flip = true}, 1).mix(0, 0, 9).has_value());
}

TEST(Augmentation, IsAFunctionOfSeedEpochAndExample) {
  const Image image = counting(12, 12);
  const AugmentationOptions all{.crop = 3, .flip = true, .erase = 0.7, .mixup = 0.5};
  const Augmentation one(all, 5), same(all, 5), other(all, 6);
  int seeds = 0, epochs = 0, examples = 0;
  for (uint32_t i = 0; i < 50; ++i) {
    EXPECT_EQ(one(image, 4, i), same(image, 4, i));
    EXPECT_EQ(one.mix(4, i, 100)->share, same.mix(4, i, 100)->share);
    seeds += one(image, 4, i) != other(image, 4, i);
    epochs += one(image, 4, i) != one(image, 5, i);
    examples += one(image, 4, i) != one(image, 4, i + 1);
  }
  for (const int differ : {seeds, epochs, examples}) EXPECT_GT(differ, 45);
  // One kind more leaves the others' draws as they are.
  const Augmentation crop({.crop = 3}, 5), crop_and_flip({.crop = 3, .flip = true}, 5);
  for (uint32_t i = 0; i < 20; ++i) {
    const Image moved_only = crop(image, 0, i), both = crop_and_flip(image, 0, i);
    EXPECT_TRUE(both == moved_only || both == mirrored(moved_only));
  }
}

}  // namespace
}  // namespace heed::data
