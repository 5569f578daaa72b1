// ImageProcessor: a folder's preprocessor_config.json, executed as transformers' Pillow-based ViTImageProcessor does.
//
//   resize (data/resize.h) -> crop the middle, black where the image is smaller -> times rescale_factor
//   -> (x - image_mean) / image_std
//
// each if its do_… says so. Files of both generations are read: `size` as a number, a list or an object, the type under
// image_processor_type or feature_extractor_type. A step or value that is not supported is an error that names it;
// unknown keys are kept. Immutable; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "heed/base/json.h"
#include "heed/data/image.h"
#include "heed/data/resize.h"

namespace heed::data {

struct PixelValues {
  int channels = 0, height = 0, width = 0;
  std::vector<float> values;  // [channels, height, width]
};

class ImageProcessor {
 public:
  static constexpr const char* kFileName = "preprocessor_config.json";

  // transformers' defaults: bilinear to 224 x 224, values from -1 to 1.
  ImageProcessor();
  // Throws ConfigError that names `file` and the key.
  ImageProcessor(Json config, const std::string& file);
  // Throws ConfigError, FormatError, IoError.
  static ImageProcessor read(const std::filesystem::path& file);

  // An image of three channels, or of one where mean and deviation are single numbers. Throws DataError if the size
  // that follows for it is nothing or too big, or if its channels do not fit.
  PixelValues operator()(const Image& image) const { return values(resized(image)); }
  // Its two halves: the image resized and cropped, and that as numbers.
  Image resized(const Image& image) const;
  PixelValues values(const Image& resized) const;

  const Json& config() const { return config_; }  // as read

 private:
  enum class Fit { kExact, kShortestEdge };
  struct Size {
    int height = 224, width = 224;  // of kExact
    int shortest = 0, longest = 0;  // of kShortestEdge; longest 0: no bound
    Fit fit = Fit::kExact;
  };
  class Reader;

  std::array<int64_t, 2> target(const Image& image) const;  // height, width

  Json config_ = Json::object();
  bool do_resize_ = true, do_center_crop_ = false, do_rescale_ = true, do_normalize_ = true;
  Size size_;
  int crop_height_ = 0, crop_width_ = 0;
  Resample resample_ = Resample::kBilinear;
  double rescale_factor_ = 1.0 / 255;
  std::vector<float> mean_{0.5f, 0.5f, 0.5f}, deviation_{0.5f, 0.5f, 0.5f};  // of each channel, or one for all
};

}  // namespace heed::data
