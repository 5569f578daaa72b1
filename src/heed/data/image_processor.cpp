#include "heed/data/image_processor.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "heed/base/error.h"
#include "heed/io/config_reader.h"

namespace heed::data {
namespace {

constexpr int kMaxSide = 1 << 14;                 // of a size in the file
constexpr int64_t kMaxPixels = int64_t{1} << 26;  // of a resized image

// The middle of the image; black around it where it is smaller.
Image center_crop(const Image& image, int height, int width) {
  Image result = blank_image(width, height, image.channels);
  // Python's // rounds down also where the image is smaller: then one more row goes above it than below.
  const auto begin = [](int size, int crop) { return size >= crop ? (size - crop) / 2 : -((crop - size + 1) / 2); };
  const int top = begin(image.height, height), left = begin(image.width, width);
  const auto channels = static_cast<size_t>(image.channels);
  const int from = std::max(left, 0), to = std::min(left + width, image.width);
  for (int y = std::max(0, -top); y < height && y + top < image.height; ++y)
    std::copy_n(image.row(y + top) + static_cast<size_t>(from) * channels, static_cast<size_t>(to - from) * channels,
                result.row(y) + static_cast<size_t>(from - left) * channels);
  return result;
}

}  // namespace

// Fills an ImageProcessor from its JSON.
class ImageProcessor::Reader {
 public:
  Reader(ImageProcessor& processor, const std::string& file)
      : processor_(processor), file_(file), reader_(processor.config_, file) {}

  void read() {
    for (const char* key : {"image_processor_type", "feature_extractor_type"})
      reader_.get_enum<int>(key, {{"ViTImageProcessor", 0},
                                  {"ViTImageProcessorFast", 0},
                                  {"ViTImageProcessorPil", 0},
                                  {"ViTFeatureExtractor", 0}});
    // Steps of other processors.
    for (const char* key : {"do_pad", "do_flip_channel_order", "do_thumbnail", "do_align_long_axis", "do_reduce_labels",
                            "do_color_quantize", "do_random_crop", "do_flip_and_rotate"})
      reader_.allow_only(key, false);
    reader_.get_bool("do_convert_rgb");  // files always become RGB
    processor_.do_resize_ = reader_.get_or("do_resize", true);
    processor_.do_center_crop_ = reader_.get_or("do_center_crop", false);
    processor_.do_rescale_ = reader_.get_or("do_rescale", true);
    processor_.do_normalize_ = reader_.get_or("do_normalize", true);
    if (const auto filter = reader_.get<int>("resample", 0, 5)) processor_.resample_ = static_cast<Resample>(*filter);
    processor_.rescale_factor_ = reader_.get_or("rescale_factor", 1.0 / 255, -1e6, 1e6);
    read_size();
    read_crop_size();
    processor_.mean_ = numbers("image_mean", -1e6);
    processor_.deviation_ = numbers("image_std", 1e-12);
  }

 private:
  // "size": 224 | [height, width] | {"height", "width"} | {"shortest_edge"} | {"shortest_edge", "longest_edge"}
  void read_size() {
    const Json* value = reader_.find("size");
    const bool square = reader_.get_or("default_to_square", true);
    if (!value) return;
    Size& size = processor_.size_;
    if (value->is_object() && value->contains("shortest_edge")) {
      const io::ConfigReader object = *reader_.object("size");
      size.fit = Fit::kShortestEdge;
      size.shortest = object.require<int>("shortest_edge", 1, kMaxSide);
      size.longest = object.get_or("longest_edge", 0, 1, kMaxSide);
      refuse_unread("size", object);
    } else if (value->is_number() && !square) {
      size.fit = Fit::kShortestEdge;
      size.shortest = reader_.require<int>("size", 1, kMaxSide);
    } else {
      std::tie(size.height, size.width) = height_and_width("size", *value);
    }
  }

  void read_crop_size() {
    if (const Json* value = reader_.find("crop_size"))
      std::tie(processor_.crop_height_, processor_.crop_width_) = height_and_width("crop_size", *value);
    check<ConfigError>(!processor_.do_center_crop_ || processor_.crop_height_ > 0,
                       "{}: do_center_crop needs crop_size, which is not given", file_);
  }

  std::pair<int, int> height_and_width(const std::string& key, const Json& value) {
    if (value.is_object()) {
      const io::ConfigReader object = *reader_.object(key);
      const std::pair<int, int> result{object.require<int>("height", 1, kMaxSide),
                                       object.require<int>("width", 1, kMaxSide)};
      refuse_unread(key, object);
      return result;
    }
    if (value.is_array()) {
      const bool two = value.size() == 2 && value[0].is_number_integer() && value[1].is_number_integer();
      check<ConfigError>(two && std::max(value[0], value[1]) <= kMaxSide && std::min(value[0], value[1]) >= 1,
                         "{}: {} must be a height and a width from 1 to {}, got {}", file_, key, kMaxSide,
                         value.dump(-1, ' ', true, Json::error_handler_t::replace).substr(0, 60));
      return {value[0].get<int>(), value[1].get<int>()};
    }
    const int side = reader_.require<int>(key, 1, kMaxSide);
    return {side, side};
  }

  void refuse_unread(const std::string& key, const io::ConfigReader& object) {
    const std::vector<std::string> unread = object.unread();
    check<ConfigError>(unread.empty(), "{}: {}.{} is not supported there", file_, key, unread.empty() ? "" : unread[0]);
  }

  // One number for all channels, or three.
  std::vector<float> numbers(const std::string& key, double low) {
    const Json* value = reader_.find(key);
    if (!value) return {0.5f, 0.5f, 0.5f};
    if (!value->is_array()) return {static_cast<float>(reader_.require<double>(key, low, 1e6))};
    const auto fits = [&](const Json& x) { return x.is_number() && x.get<double>() >= low && x.get<double>() <= 1e6; };
    check<ConfigError>((value->size() == 3 || value->size() == 1) && std::all_of(value->begin(), value->end(), fits),
                       "{}: {} must be a number for each of the 3 channels, from {} to 1e6, got {}", file_, key, low,
                       value->dump(-1, ' ', true, Json::error_handler_t::replace).substr(0, 60));
    std::vector<float> result;
    for (const Json& x : *value) result.push_back(static_cast<float>(x.get<double>()));
    return result;
  }

  ImageProcessor& processor_;
  const std::string& file_;
  io::ConfigReader reader_;
};

ImageProcessor::ImageProcessor() = default;

ImageProcessor::ImageProcessor(Json config, const std::string& file) : config_(std::move(config)) {
  Reader(*this, file).read();
}

ImageProcessor ImageProcessor::read(const std::filesystem::path& file) { return {read_json(file), file.string()}; }

std::array<int64_t, 2> ImageProcessor::target(const Image& image) const {
  if (size_.fit == Fit::kExact) return {size_.height, size_.width};
  const bool tall = image.height >= image.width;
  const double small = std::min(image.height, image.width), large = std::max(image.height, image.width);
  double shortest = size_.shortest;
  // Products before quotients, cut off rather than rounded: as transformers computes it.
  double longest = std::trunc(shortest * large / small);
  if (size_.longest > 0 && large / small * shortest > size_.longest) {
    const double exact = size_.longest * small / large;
    shortest = std::nearbyint(exact);  // ties to even, as Python's round
    longest = shortest == small ? large : std::trunc(exact * large / small);
  }
  const auto [s, l] = std::pair(static_cast<int64_t>(shortest), static_cast<int64_t>(longest));
  return tall ? std::array{l, s} : std::array{s, l};
}

Image ImageProcessor::resized(const Image& image) const {
  Image result = image;
  if (do_resize_) {
    const auto [height, width] = target(image);
    check<DataError>(height > 0 && width > 0 && height * width <= kMaxPixels,
                     "an image of {} x {} pixels would be resized to {} x {}; from 1 to {} pixels are supported",
                     image.width, image.height, width, height, kMaxPixels);
    result = resize(image, static_cast<int>(height), static_cast<int>(width), resample_);
  }
  return do_center_crop_ ? center_crop(result, crop_height_, crop_width_) : result;
}

PixelValues ImageProcessor::values(const Image& in) const {
  const auto channels = static_cast<size_t>(in.channels), area = in.pixels.size() / channels;
  const auto fits = [&](const std::vector<float>& x) { return x.size() == 1 || x.size() == channels; };
  check<DataError>(!do_normalize_ || (fits(mean_) && fits(deviation_)),
                   "an image of {} channels does not fit image_mean and image_std, which have {} and {} numbers",
                   channels, mean_.size(), deviation_.size());
  PixelValues out{in.channels, in.height, in.width, std::vector<float>(in.pixels.size())};
  for (size_t c = 0; c < channels; ++c) {
    std::array<float, 256> table;  // what each byte becomes
    for (int v = 0; v < 256; ++v) {
      // Rescaled in double precision, normalised in single: as numpy does there.
      float x = do_rescale_ ? static_cast<float>(v * rescale_factor_) : static_cast<float>(v);
      if (do_normalize_) x = (x - mean_[c % mean_.size()]) / deviation_[c % deviation_.size()];
      table[static_cast<size_t>(v)] = x;
    }
    const uint8_t* pixel = in.pixels.data() + c;
    float* value = out.values.data() + c * area;
    for (size_t i = 0; i < area; ++i, pixel += channels) value[i] = table[*pixel];
  }
  return out;
}

}  // namespace heed::data
