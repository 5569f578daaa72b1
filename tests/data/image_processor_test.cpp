// ImageProcessor against transformers' ViTImageProcessorPil, bit for bit (tests/golden/images/processed.json), and the
// values that it refuses.
#include "heed/data/image_processor.h"

#include <gmock/gmock.h>

#include <set>

#include "heed/base/error.h"
#include "image_goldens.h"

namespace heed::data {
namespace {

using heed::testing::golden_hash;
using heed::testing::image_golden;
using ::testing::HasSubstr;

TEST(ImageProcessor, AsTransformersBitForBit) {
  const Json cases = read_json(image_golden("processed.json"))["cases"];
  std::set<int> filters;
  for (const Json& expected : cases) {
    const std::string name = expected["file"].get<std::string>() + " " + expected["config"].dump();
    const ImageProcessor processor(expected["config"], "config");
    const Image image = read_image(image_golden(expected["file"]));
    filters.insert(expected["config"].value("resample", 2));
    const Image resized = processor.resized(image);
    EXPECT_EQ(golden_hash(resized.pixels), expected["rgb_sha256"]) << name;
    const PixelValues values = processor(image);
    EXPECT_EQ(values.channels, 3);
    EXPECT_EQ(values.height, expected["height"]) << name;
    EXPECT_EQ(values.width, expected["width"]) << name;
    EXPECT_EQ(golden_hash(values.values), expected["values_sha256"]) << name;
  }
  EXPECT_EQ(filters.size(), 6u);
  EXPECT_GE(cases.size(), 200u);
}

TEST(ImageProcessor, DefaultsAreThoseOfTransformers) {
  const PixelValues values = ImageProcessor()(Image{1, 1, 3, {0, 255, 51}});
  EXPECT_EQ(values.height, 224);
  EXPECT_EQ(values.width, 224);
  ASSERT_EQ(values.values.size(), 3u * 224 * 224);
  EXPECT_EQ(values.values.front(), -1);
  EXPECT_EQ(values.values[224 * 224], 1);
  EXPECT_NEAR(values.values.back(), -0.6, 1e-6);
}

TEST(ImageProcessor, GreyImages) {
  const ImageProcessor processor(Json{{"size", 2}, {"image_mean", 0.5}, {"image_std", 0.25}}, "config");
  const PixelValues values = processor(Image{1, 1, 1, {255}});
  EXPECT_EQ(values.channels, 1);
  EXPECT_EQ(values.values, (std::vector<float>{2, 2, 2, 2}));
  EXPECT_THROW(ImageProcessor()(Image{1, 1, 1, {255}}), DataError);
}

TEST(ImageProcessor, KeepsWhatItDoesNotKnow) {
  const Json config{{"size", 8}, {"a_key_of_the_future", Json{1, 2}}};
  EXPECT_EQ(ImageProcessor(config, "config").config(), config);
}

TEST(ImageProcessor, UnsupportedValuesAreNamed) {
  const auto reason = [](const Json& config) -> std::string {
    try {
      ImageProcessor(config, "p.json");
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  };
  const std::vector<Json> kinds = {
      -1, 0, 1LL << 31, uint64_t{1} << 63, 1e308, nullptr, "x", Json::array({1}), Json::object(), true, false};
  for (const char* key : {"size", "crop_size", "resample", "do_resize", "do_center_crop", "do_rescale",
                          "rescale_factor", "do_normalize", "image_mean", "image_std", "do_convert_rgb",
                          "image_processor_type", "feature_extractor_type", "default_to_square", "do_pad"})
    for (const Json& value : kinds) {
      const std::string why = reason({{key, value}});
      if (!why.empty()) {
        EXPECT_THAT(why, HasSubstr("p.json")) << key;
        EXPECT_THAT(why, HasSubstr(key)) << value;
      }
    }
  EXPECT_THAT(reason({{"image_processor_type", "BeitImageProcessor"}}), HasSubstr("BeitImageProcessor"));
  EXPECT_THAT(reason({{"do_pad", true}}), HasSubstr("do_pad"));
  EXPECT_THAT(reason({{"resample", 6}}), HasSubstr("resample"));
  EXPECT_THAT(reason({{"size", {{"longest_edge", 5}}}}), HasSubstr("size.height"));
  EXPECT_THAT(reason({{"size", {{"height", 5}, {"width", 5}, {"max_height", 5}}}}), HasSubstr("size.max_height"));
  EXPECT_THAT(reason({{"size", {{"height", 0}, {"width", 5}}}}), HasSubstr("size.height"));
  EXPECT_THAT(reason({{"size", {1, 2, 3}}}), HasSubstr("size"));
  EXPECT_THAT(reason({{"crop_size", {1, 1e300}}}), HasSubstr("crop_size"));
  EXPECT_THAT(reason({{"do_center_crop", true}}), HasSubstr("crop_size"));
  EXPECT_THAT(reason({{"image_std", {0.5, 0, 0.5}}}), HasSubstr("image_std"));
  EXPECT_THAT(reason({{"image_mean", {0.5, 0.5}}}), HasSubstr("image_mean"));
  EXPECT_EQ(reason({{"image_processor_type", "ViTImageProcessorFast"}, {"do_convert_rgb", true}}), "");
  EXPECT_THROW(ImageProcessor(Json::array(), "p.json"), ConfigError);
}

TEST(ImageProcessor, ExtremeShapesAreErrors) {
  const ImageProcessor edge(Json{{"size", {{"shortest_edge", 1000}}}}, "config");
  EXPECT_THROW(edge(blank_image(1, 100000)), DataError);
  const ImageProcessor bound(Json{{"size", {{"shortest_edge", 10}, {"longest_edge", 10}}}}, "config");
  EXPECT_THROW(bound(blank_image(1, 100)), DataError);  // its shorter edge would be nothing
}

}  // namespace
}  // namespace heed::data
