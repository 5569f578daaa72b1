#include "heed/data/augmentation.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "heed/base/error.h"
#include "heed/base/random.h"
#include "heed/data/streams.h"

namespace heed::data {
namespace {

constexpr double kUsualErase = 0.25, kUsualMixup = 0.2;
constexpr double kSmallestErased = 0.02, kLargestErased = 1.0 / 3, kFlattest = 0.3;
constexpr int kEraseAttempts = 100, kMostCrop = 4096;

enum class Kind : uint32_t { kCrop, kFlip, kErase, kMixup };

Random random_of(uint64_t seed, Kind kind, uint64_t epoch, uint32_t example) {
  return Random(stream_seed(seed, Stream::kAugmentation), epoch << 32 | example, static_cast<uint32_t>(kind));
}

// Noise over a rectangle that fits.
void erase(Image& image, Random& random) {
  const double area = static_cast<double>(image.width) * image.height;
  for (int attempt = 0; attempt < kEraseAttempts; ++attempt) {
    const double size = area * (kSmallestErased + (kLargestErased - kSmallestErased) * random.uniform());
    const double proportion = std::exp(std::log(kFlattest) * (1 - 2 * random.uniform()));
    const auto height = static_cast<int>(std::lround(std::sqrt(size * proportion)));
    const auto width = static_cast<int>(std::lround(std::sqrt(size / proportion)));
    if (height < 1 || width < 1 || height > image.height || width > image.width) continue;
    const auto top = static_cast<int>(random.below(static_cast<uint32_t>(image.height - height + 1)));
    const auto left = static_cast<int>(random.below(static_cast<uint32_t>(image.width - width + 1)));
    for (int y = top; y < top + height; ++y) {
      uint8_t* begin = image.row(y) + left * image.channels;
      std::generate_n(begin, width * image.channels, [&] { return static_cast<uint8_t>(random() >> 24); });
    }
    return;
  }
}

// The logarithm of a draw from Gamma(shape, 1) (Marsaglia and Tsang 2000); its own value could be too small for a
// double.
double log_gamma_draw(double shape, Random& random) {
  if (shape < 1) {
    const double larger = log_gamma_draw(shape + 1, random);
    return larger + std::log(1 - random.uniform()) / shape;
  }
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = random.normal(), v = std::pow(1 + c * x, 3);
    if (v <= 0) continue;
    if (std::log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return std::log(d * v);
  }
}

double number_of(const std::string& part, const std::string& text, double low, double high) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  check<UsageError>(error == std::errc() && end == text.data() + text.size() && value >= low && value <= high,
                    "--augment {}={}: a number from {} to {} is expected", part, text, low, high);
  return value;
}

void take_part(const std::string& part, AugmentationOptions& options) {
  const size_t equals = part.find('=');
  const std::string name = part.substr(0, equals);
  const bool has_number = equals != std::string::npos;
  const std::string number = has_number ? part.substr(equals + 1) : "";
  if (name == "crop") {
    options.crop = has_number ? static_cast<int>(number_of(name, number, 0, kMostCrop)) : -1;
    check<UsageError>(!has_number || *options.crop == number_of(name, number, 0, kMostCrop),
                      "--augment {}: a whole number of pixels is expected", part);
  } else if (name == "flip") {
    check<UsageError>(!has_number, "--augment {}: flip takes no number", part);
    options.flip = true;
  } else if (name == "erase") {
    options.erase = has_number ? number_of(name, number, 0, 1) : kUsualErase;
  } else if (name == "mixup") {
    options.mixup = has_number ? number_of(name, number, 0, 100) : kUsualMixup;
  } else {
    fail<UsageError>("--augment: there is no \"{}\"; there are crop, flip, erase, mixup and none", name);
  }
}

}  // namespace

std::string AugmentationOptions::text() const {
  std::string result;
  const auto add = [&](const std::string& part) { result += (result.empty() ? "" : ",") + part; };
  if (crop) add(*crop < 0 ? "crop" : fmt::format("crop={}", *crop));
  if (flip) add("flip");
  if (erase > 0) add(fmt::format("erase={}", erase));
  if (mixup > 0) add(fmt::format("mixup={}", mixup));
  return result.empty() ? "none" : result;
}

AugmentationOptions augmentation_from_text(const std::string& text) {
  AugmentationOptions options;
  if (text == "none") return options;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    take_part(text.substr(begin, end - begin), options);
    begin = end + 1;
  }
  return options;
}

Image Augmentation::operator()(const Image& image, uint64_t epoch, uint32_t example) const {
  Image result = image;
  if (options_.crop) {
    Random random = random_of(seed_, Kind::kCrop, epoch, example);
    const int most = *options_.crop < 0 ? std::min(image.width, image.height) / 8 : *options_.crop;
    const auto draw = [&] { return static_cast<int>(random.below(static_cast<uint32_t>(2 * most + 1))) - most; };
    const int dx = draw(), dy = draw();
    result = moved(result, dx, dy);
  }
  if (options_.flip && random_of(seed_, Kind::kFlip, epoch, example).below(2) == 1) result = mirrored(result);
  if (options_.erase > 0) {
    Random random = random_of(seed_, Kind::kErase, epoch, example);
    if (random.uniform() < options_.erase) erase(result, random);
  }
  return result;
}

std::optional<Mix> Augmentation::mix(uint64_t epoch, uint32_t example, uint32_t examples) const {
  if (options_.mixup == 0) return std::nullopt;
  Random random = random_of(seed_, Kind::kMixup, epoch, example);
  const uint32_t partner = random.below(examples);
  const double first = log_gamma_draw(options_.mixup, random), second = log_gamma_draw(options_.mixup, random);
  return Mix{partner, static_cast<float>(1 / (1 + std::exp(second - first)))};
}

Image moved(const Image& image, int dx, int dy) {
  Image result = blank_image(image.width, image.height, image.channels);
  const int from = std::max(0, -dx), to = std::min(image.width, image.width - dx);
  if (from >= to) return result;
  for (int y = std::max(0, dy); y < std::min(image.height, image.height + dy); ++y)
    std::copy_n(image.row(y - dy) + from * image.channels, (to - from) * image.channels,
                result.row(y) + (from + dx) * image.channels);
  return result;
}

Image mirrored(const Image& image) {
  Image result = image;
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x)
      std::copy_n(image.row(y) + (image.width - 1 - x) * image.channels, image.channels,
                  result.row(y) + x * image.channels);
  return result;
}

}  // namespace heed::data
