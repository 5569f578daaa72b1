// Where an image says how the camera was held: Exif (a TIFF block, tag 0x0112 of its first directory) in JPEG's APP1
// segments and PNG's eXIf chunk; XMP (a piece of XML) in another APP1 segment and in PNG's iTXt chunk, searched for
// tiff:Orientation as Pillow does. Every read is bounds-checked; what is malformed counts as silent.
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "heed/data/image.h"

namespace heed::data {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kExifHead = "Exif\0\0"sv;
constexpr std::string_view kXmpHead = "http://ns.adobe.com/xap/1.0/\0"sv;
constexpr std::string_view kPngXmpKey = "XML:com.adobe.xmp\0"sv;
constexpr uint32_t kOrientationTag = 0x0112, kShort = 3, kLong = 4;

// Numbers within a block; reading past its end gives zero and clears `inside`.
class Bytes {
 public:
  Bytes(std::string_view text, bool big) : text_(text), big_(big) {}
  uint32_t number(size_t at, size_t width) {
    if (at > text_.size() || width > text_.size() - at) {
      inside = false;
      return 0;
    }
    uint32_t value = 0;
    for (size_t i = 0; i < width; ++i)
      value = value << 8 | static_cast<unsigned char>(text_[at + (big_ ? i : width - 1 - i)]);
    return value;
  }
  bool inside = true;

 private:
  std::string_view text_;
  bool big_;
};

std::optional<int> exif_orientation(std::string_view tiff) {
  while (tiff.starts_with(kExifHead)) tiff.remove_prefix(kExifHead.size());
  const bool big = tiff.starts_with("MM"sv);
  if (!big && !tiff.starts_with("II"sv)) return std::nullopt;
  Bytes bytes(tiff, big);
  if (bytes.number(2, 2) != 42) return std::nullopt;
  const size_t directory = bytes.number(4, 4);
  const uint32_t entries = bytes.number(directory, 2);
  std::optional<int> orientation;
  for (uint32_t i = 0; i < entries && bytes.inside; ++i) {
    const size_t entry = directory + 2 + size_t{12} * i;
    if (bytes.number(entry, 2) != kOrientationTag || bytes.number(entry + 4, 4) != 1) continue;
    const uint32_t type = bytes.number(entry + 2, 2);
    if (type != kShort && type != kLong) continue;
    const uint32_t value = bytes.number(entry + 8, type == kShort ? 2 : 4);
    if (bytes.inside) orientation = value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return orientation;
}

std::optional<int> xmp_orientation(std::string_view xmp) {
  constexpr std::string_view kKey = "tiff:Orientation";
  for (size_t at = xmp.find(kKey); at != xmp.npos; at = xmp.find(kKey, at + 1)) {
    std::string_view rest = xmp.substr(at + kKey.size());
    if (rest.starts_with("=\"")) rest.remove_prefix(2);
    else if (rest.starts_with(">")) rest.remove_prefix(1);
    else continue;
    if (rest.empty() || rest[0] < '0' || rest[0] > '9') continue;
    return rest[0] >= '1' && rest[0] <= '8' ? rest[0] - '0' : 1;
  }
  return std::nullopt;
}

struct Blocks {
  std::string exif, xmp;
};

// The segments before the first scan.
Blocks blocks_of_jpeg(std::string_view file) {
  Blocks blocks;
  Bytes bytes(file, true);
  for (size_t at = 2; at + 4 <= file.size();) {
    if (file[at] != '\xFF') {
      ++at;
      continue;
    }
    const uint32_t marker = bytes.number(at + 1, 1);
    if (marker == 0xDA) break;                                                            // a scan begins
    if (marker == 0xFF || marker == 0x00 || marker == 0x01 || (marker & 0xF8) == 0xD0) {  // fill or no content
      ++at;
      continue;
    }
    const size_t length = bytes.number(at + 2, 2);
    if (length < 2 || length > file.size() - at - 2) break;
    const std::string_view segment = file.substr(at + 4, length - 2);
    if (marker == 0xE1 && segment.starts_with(kExifHead)) blocks.exif += segment.substr(kExifHead.size());
    else if (marker == 0xE1 && segment.starts_with(kXmpHead)) blocks.xmp = segment.substr(kXmpHead.size());
    at += 2 + length;
  }
  return blocks;
}

Blocks blocks_of_png(std::string_view file) {
  Blocks blocks;
  Bytes bytes(file, true);
  for (size_t at = 8; at + 12 <= file.size();) {
    const size_t length = bytes.number(at, 4);
    if (length > file.size() - at - 12) break;
    const std::string_view type = file.substr(at + 4, 4), content = file.substr(at + 8, length);
    if (type == "eXIf") blocks.exif = content;
    else if (type == "iTXt" && content.starts_with(kPngXmpKey)) blocks.xmp = content.substr(kPngXmpKey.size());
    at += 12 + length;
  }
  return blocks;
}

}  // namespace

int image_orientation(std::span<const std::byte> file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  const Blocks blocks = text.starts_with("\xFF\xD8") ? blocks_of_jpeg(text) : blocks_of_png(text);
  if (const auto orientation = exif_orientation(blocks.exif)) return *orientation;
  return xmp_orientation(blocks.xmp).value_or(1);
}

}  // namespace heed::data
