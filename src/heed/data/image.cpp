#include "heed/data/image.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/data/image_formats.h"

namespace heed::data {
namespace {

constexpr std::string_view kJpegSignature = "\xFF\xD8\xFF";
constexpr std::string_view kPngSignature = "\x89PNG\r\n\x1A\n";

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Image blank_image(int width, int height, int channels) {
  Image image{width, height, channels, {}};
  image.pixels.resize(image.stride() * static_cast<size_t>(height));
  return image;
}

void check_image_size(const std::string& name, int64_t width, int64_t height, const ImageLimits& limits) {
  check<DataError>(width > 0 && height > 0, "{}: an image of {} x {} pixels", name, width, height);
  // Each side is below 2^31 in both formats, so the product fits.
  check<DataError>(width * height <= limits.pixels, "{}: {} x {} pixels are more than the limit of {}", name, width,
                   height, limits.pixels);
}

Image decode_image(std::span<const std::byte> file, const std::string& name, const ImageLimits& limits) {
  check<DataError>(file.size() <= limits.file_bytes, "{}: {} bytes are more than the limit of {}", name, file.size(),
                   limits.file_bytes);
  check<DataError>(!file.empty(), "{}: the file is empty", name);
  if (text_of(file).starts_with(kJpegSignature)) return decode_jpeg(file, name, limits);
  if (text_of(file).starts_with(kPngSignature)) return decode_png(file, name, limits);
  fail<DataError>("{}: neither a JPEG nor a PNG file", name);
}

Image upright(const Image& image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const int w = image.width, h = image.height;
  const bool turned = orientation >= 5;
  Image result = blank_image(turned ? h : w, turned ? w : h, image.channels);
  const auto channels = static_cast<size_t>(image.channels);
  // Where pixel (x, y) of the result lies in `image`.
  const auto source = [&](int x, int y) -> std::array<int, 2> {
    switch (orientation) {
      case 2: return {w - 1 - x, y};
      case 3: return {w - 1 - x, h - 1 - y};
      case 4: return {x, h - 1 - y};
      case 5: return {y, x};
      case 6: return {y, h - 1 - x};
      case 7: return {w - 1 - y, h - 1 - x};
      default: return {w - 1 - y, x};
    }
  };
  for (int y = 0; y < result.height; ++y) {
    uint8_t* out = result.row(y);
    for (int x = 0; x < result.width; ++x, out += channels) {
      const auto [from_x, from_y] = source(x, y);
      std::copy_n(image.row(from_y) + static_cast<size_t>(from_x) * channels, channels, out);
    }
  }
  return result;
}

Image as_rgb(const Image& image) {
  if (image.channels == 3) return image;
  Image rgb = blank_image(image.width, image.height);
  for (size_t i = 0; i < image.pixels.size(); ++i) std::fill_n(rgb.pixels.begin() + 3 * i, 3, image.pixels[i]);
  return rgb;
}

// ITU-R BT.601 in 16 binary digits.
Image as_grey(const Image& image) {
  if (image.channels == 1) return image;
  constexpr uint32_t kRed = 19595, kGreen = 38470, kBlue = 7471, kHalf = 1 << 15;
  Image grey = blank_image(image.width, image.height, 1);
  const uint8_t* pixel = image.pixels.data();
  for (uint8_t& out : grey.pixels) {
    out = static_cast<uint8_t>((pixel[0] * kRed + pixel[1] * kGreen + pixel[2] * kBlue + kHalf) >> 16);
    pixel += 3;
  }
  return grey;
}

Image read_image(const std::filesystem::path& file, const ImageLimits& limits) {
  std::error_code code;
  const auto status = std::filesystem::status(file, code);
  check<DataError>(!code && std::filesystem::exists(status), "{}: no such file", file.string());
  check<DataError>(std::filesystem::is_regular_file(status), "{}: not a file", file.string());
  const auto size = std::filesystem::file_size(file, code);
  check<DataError>(code || size <= limits.file_bytes, "{}: {} bytes are more than the limit of {}", file.string(), size,
                   limits.file_bytes);
  const std::string content = read_file(file);
  const auto bytes = std::as_bytes(std::span(content));
  return upright(decode_image(bytes, file.string(), limits), image_orientation(bytes));
}

}  // namespace heed::data
