// Images: JPEG and PNG files as 8-bit pixels, the same bytes that Pillow's Image.open(file).convert("RGB") gives.
//
// Grey becomes three equal channels, a palette is looked up, alpha and transparent colours are dropped, gamma and
// colour profiles are ignored, of 16-bit colour the high byte is kept, 16-bit grey is cut off at 255 (Pillow's I;16 to
// RGB), CMYK is read by Adobe's inverted convention. JPEG may be baseline, progressive or arithmetic-coded, of 8 bits;
// PNG of any kind, interlaced or not. Decoding is libjpeg-turbo's and libpng's; they print nothing here.
//
// What a file claims is checked before memory is taken: at most ImageLimits. All functions are pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace heed::data {

struct Image {
  int width = 0, height = 0;
  int channels = 3;             // 3: red, green, blue; 1: grey
  std::vector<uint8_t> pixels;  // [height, width, channels]

  const uint8_t* row(int y) const { return pixels.data() + static_cast<size_t>(y) * stride(); }
  uint8_t* row(int y) { return pixels.data() + static_cast<size_t>(y) * stride(); }
  size_t stride() const { return static_cast<size_t>(width) * static_cast<size_t>(channels); }
  bool operator==(const Image&) const = default;
};

// An image of this size, black.
Image blank_image(int width, int height, int channels = 3);

struct ImageLimits {
  int64_t pixels = int64_t{64} << 20;     // width times height
  size_t file_bytes = size_t{64} << 20;   // of the file
  size_t work_bytes = size_t{512} << 20;  // of the JPEG decoder, which holds the coefficients of a progressive image
};

// The file's bytes as RGB, as they lie in it: no orientation is applied. `name` is what errors call the file. Throws
// DataError: neither JPEG nor PNG, corrupt, cut off, too big, or of a kind that is not supported.
Image decode_image(std::span<const std::byte> file, const std::string& name, const ImageLimits& limits = {});

// How the camera was held, 1 to 8 (Exif 2.32, tag 0x0112): from a JPEG's or PNG's Exif block or, if that says nothing,
// its XMP block. 1 (upright) if neither says anything; never throws for malformed bytes.
int image_orientation(std::span<const std::byte> file);

// The image turned so that one of that orientation stands upright (Pillow's ImageOps.exif_transpose).
Image upright(const Image& image, int orientation);

// Grey as three equal channels; RGB as it is.
Image as_rgb(const Image& image);

// RGB as grey by luminance, as Pillow's convert("L"); grey as it is.
Image as_grey(const Image& image);

// A file decoded and upright, as transformers' load_image gives it. Throws DataError, IoError.
Image read_image(const std::filesystem::path& file, const ImageLimits& limits = {});

}  // namespace heed::data
