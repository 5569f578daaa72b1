// Fuzzes the decoding of images (libFuzzer): JPEG and PNG of whatever bytes, their orientation, and turning them.
//
// PNG's checksums would stop nearly every mutation, so they are put right first. What is accepted must be an image: as
// many pixels as its size says, within the limits, and turning it there and back gives the same.
#include <zlib.h>

#include <cstring>
#include <vector>

#include "heed/base/error.h"
#include "heed/data/image.h"
#include "require.h"

namespace {

uint32_t read_number(const unsigned char* at) {
  return static_cast<uint32_t>(at[0]) << 24 | static_cast<uint32_t>(at[1]) << 16 | static_cast<uint32_t>(at[2]) << 8 |
         at[3];
}

// The checksum of each whole chunk, over its type and content, behind which it stands.
void correct_checksums(std::vector<unsigned char>& png) {
  for (size_t at = 8; at + 12 <= png.size();) {
    const size_t length = read_number(&png[at]);
    if (length > png.size() - at - 12) return;
    const auto sum = static_cast<uint32_t>(::crc32(0, &png[at + 4], static_cast<uInt>(length + 4)));
    for (size_t i = 0; i < 4; ++i) png[at + 8 + length + i] = static_cast<unsigned char>(sum >> (24 - 8 * i));
    at += 12 + length;
  }
}

void check_accepted(const heed::data::Image& image, const heed::data::ImageLimits& limits, int orientation) {
  require(image.width > 0 && image.height > 0 && image.channels == 3);
  require(int64_t{image.width} * image.height <= limits.pixels);
  require(image.pixels.size() == image.stride() * static_cast<size_t>(image.height));
  const heed::data::Image turned = heed::data::upright(image, orientation);
  require(turned.pixels.size() == image.pixels.size());
  constexpr int kInverse[] = {0, 1, 2, 3, 4, 5, 8, 7, 6};
  require(heed::data::upright(turned, kInverse[orientation]) == image);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<unsigned char> file(data, data + size);
  if (size > 8 && std::memcmp(data, "\x89PNG", 4) == 0) correct_checksums(file);
  const auto bytes = std::as_bytes(std::span(file));
  const heed::data::ImageLimits limits{int64_t{1} << 20, size_t{1} << 20, size_t{64} << 20};
  const int orientation = heed::data::image_orientation(bytes);
  require(orientation >= 1 && orientation <= 8);
  try {
    check_accepted(heed::data::decode_image(bytes, "fuzz", limits), limits, orientation);
  } catch (const heed::DataError&) {}
  return 0;
}
