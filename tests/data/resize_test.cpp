// Resizing (its pixels are held against Pillow in image_processor_test.cpp).
#include "heed/data/resize.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "heed/base/random.h"

namespace heed::data {
namespace {

constexpr Resample kAll[] = {Resample::kNearest, Resample::kLanczos, Resample::kBilinear,
                             Resample::kBicubic, Resample::kBox,     Resample::kHamming};

TEST(Resize, OfOneColourKeepsIt) {
  for (const Resample filter : kAll)
    for (const auto& [height, width] : {std::pair(1, 1), {3, 5}, {17, 11}, {40, 64}, {9, 8}, {7, 20}}) {
      Image image = blank_image(8, 9);
      std::fill(image.pixels.begin(), image.pixels.end(), uint8_t{201});
      const Image result = resize(image, height, width, filter);
      EXPECT_EQ(result.height, height);
      EXPECT_EQ(result.width, width);
      EXPECT_EQ(std::count(result.pixels.begin(), result.pixels.end(), 201), height * width * 3);
    }
}

TEST(Resize, BoxAveragesWholePixels) {
  const Image image{4, 2, 1, {0, 10, 20, 40, 2, 12, 60, 80}};
  EXPECT_EQ(resize(image, 1, 2, Resample::kBox), (Image{2, 1, 1, {6, 50}}));
  EXPECT_EQ(resize(image, 4, 8, Resample::kBox).pixels[0], 0);
}

TEST(Resize, ChannelsDoNotMix) {
  Image grey = blank_image(13, 9, 1);
  Random random(3, 0);
  for (uint8_t& p : grey.pixels) p = static_cast<uint8_t>(random.uniform() * 256);
  const Image rgb = as_rgb(grey);
  for (const Resample filter : kAll)
    for (const auto& [height, width] : {std::pair(4, 6), {20, 30}, {9, 5}, {30, 13}})
      EXPECT_EQ(resize(rgb, height, width, filter), as_rgb(resize(grey, height, width, filter)));
}

}  // namespace
}  // namespace heed::data
