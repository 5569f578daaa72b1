// The decoders behind image.h, one file each: what image.cpp alone calls. `file` begins with the format's signature.
#pragma once

#include <string>

#include "heed/data/image.h"

namespace heed::data {

Image decode_jpeg(std::span<const std::byte> file, const std::string& name, const ImageLimits& limits);
Image decode_png(std::span<const std::byte> file, const std::string& name, const ImageLimits& limits);

// Throws DataError unless both sizes are at least 1 and their product within the limit.
void check_image_size(const std::string& name, int64_t width, int64_t height, const ImageLimits& limits);

}  // namespace heed::data
