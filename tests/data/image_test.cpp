// Decoding against Pillow: the files of tests/golden/images pixel for pixel, PngSuite and JPEG files of the shared
// data.
#include "heed/data/image.h"

#include <gmock/gmock.h>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "image_goldens.h"

namespace heed::data {
namespace {

using heed::testing::golden_hash;
using heed::testing::image_golden;
using ::testing::HasSubstr;

Image decode(const std::filesystem::path& file, const ImageLimits& limits = {}) {
  const std::string content = read_file(file);
  return decode_image(std::as_bytes(std::span(content)), file.string(), limits);
}

std::string error_of(const std::string& content, const ImageLimits& limits = {}) {
  try {
    decode_image(std::as_bytes(std::span(content)), "the file", limits);
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

TEST(Image, PixelsAsPillowDecodesThem) {
  const Json files = read_json(image_golden("decoded.json"))["files"];
  int compared = 0, refused = 0;
  for (const auto& [name, expected] : files.items()) {
    const bool shared = name.starts_with("shared/");
    const auto file = shared ? heed::testing::shared_path(name.substr(7)) : image_golden(name);
    if (shared && !std::filesystem::exists(file)) continue;
    if (expected.is_null()) {
      EXPECT_THROW(decode(file), DataError) << name;
      ++refused;
      continue;
    }
    // Pillow does not look at the checksum of pixel data; we do.
    if (name.ends_with("xcsn0g01.png")) {
      EXPECT_THROW(decode(file), DataError);
      continue;
    }
    const Image image = decode(file);
    EXPECT_EQ(image.width, expected["width"]) << name;
    EXPECT_EQ(image.height, expected["height"]) << name;
    EXPECT_EQ(golden_hash(image.pixels), expected["rgb_sha256"]) << name;
    const Image turned = read_image(file);
    EXPECT_EQ((Json{turned.height, turned.width}), expected["upright"]) << name;
    EXPECT_EQ(golden_hash(turned.pixels), expected["upright_sha256"]) << name;
    ++compared;
  }
  EXPECT_GE(compared, 30);
  EXPECT_GE(refused, 3);
}

// The manifest was made with another version of Pillow.
TEST(Image, SharedManifest) {
  HEED_NEEDS_SHARED("data/images/manifest.json");
  const Json images = read_json(heed::testing::shared_path("data/images/manifest.json"))["images"];
  int hashed = 0, means = 0;
  for (const auto& [name, expected] : images.items()) {
    const auto file = heed::testing::shared_path("data/images") / name;
    if (expected.contains("error")) {
      EXPECT_THROW(decode(file), DataError) << name;
      continue;
    }
    if (name.ends_with("xcsn0g01.png")) continue;
    const Image image = decode(file);
    EXPECT_EQ(image.width, expected["width"]) << name;
    EXPECT_EQ(image.height, expected["height"]) << name;
    const std::string mode = expected["mode"];
    if (expected.contains("rgba8_sha256") && (mode == "RGB" || mode == "L" || mode == "1" || mode == "P")) {
      std::string rgba;
      for (size_t i = 0; i < image.pixels.size(); ++i) {
        rgba += static_cast<char>(image.pixels[i]);
        if (i % 3 == 2) rgba += '\xFF';
      }
      // A transparent colour or palette entry shows in the manifest's fourth channel, which is not read here.
      if (!name.ends_with("tm3n3p02.png") && name.find("/tb") == name.npos && name.find("/tp1") == name.npos) {
        EXPECT_EQ(sha256_hex(rgba), expected["rgba8_sha256"]) << name;
        ++hashed;
      }
    }
    if (expected.contains("rgb_mean")) {
      for (size_t c = 0; c < 3; ++c) {
        double sum = 0;
        for (size_t i = c; i < image.pixels.size(); i += 3) sum += image.pixels[i];
        EXPECT_NEAR(sum / image.width / image.height, expected["rgb_mean"][c].get<double>(), 1) << name;
      }
      ++means;
    }
  }
  EXPECT_GE(hashed, 60);
  EXPECT_GE(means, 7);
}

// Every length of every small file: an error, or (after the last pixel of a JPEG) never a crash or a hang.
TEST(Image, CutOffAnywhereIsAnError) {
  for (const char* name : {"rgb.png", "palette_short.png", "orientation_6.png", "baseline_420.jpg", "progressive.jpg",
                           "cmyk.jpg", "restarts.jpg"}) {
    const std::string content = read_file(image_golden(name));
    for (size_t size = 0; size < content.size(); ++size) {
      EXPECT_NE(error_of(content.substr(0, size)), "") << name << " cut at " << size;
      image_orientation(std::as_bytes(std::span(content).first(size)));
    }
    EXPECT_EQ(error_of(content), "") << name;
  }
}

TEST(Image, EveryWrongByteOfAPngIsAnError) {
  const std::string content = read_file(image_golden("palette_2bit.png"));
  for (size_t i = 0; i < content.size(); ++i) {
    std::string damaged = content;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_NE(error_of(damaged), "") << i;
  }
}

TEST(Image, ErrorsSayWhy) {
  EXPECT_EQ(error_of(""), "the file: the file is empty");
  EXPECT_EQ(error_of("GIF89a"), "the file: neither a JPEG nor a PNG file");
  const std::string png = read_file(image_golden("rgb.png")), jpeg = read_file(image_golden("rgb.jpg"));
  EXPECT_THAT(error_of(png.substr(0, 600)), HasSubstr("cut off"));
  EXPECT_THAT(error_of(jpeg.substr(0, 900)), HasSubstr("corrupt JPEG image: Premature end"));
  EXPECT_THAT(error_of(jpeg.substr(0, 20)), HasSubstr("not a JPEG image that can be read"));
  EXPECT_THAT(error_of(png, {.pixels = 850}), HasSubstr("37 x 23 pixels are more than the limit of 850"));
  EXPECT_EQ(error_of(png, {.pixels = 851}), "");
  EXPECT_THAT(error_of(jpeg, {.pixels = 850}), HasSubstr("37 x 23 pixels are more than the limit of 850"));
  EXPECT_THAT(error_of(png, {.file_bytes = 10}), HasSubstr("more than the limit of 10"));
}

// A small file that claims a large image is refused before memory is taken for it.
TEST(Image, ClaimedSizeIsHeldAgainstTheFile) {
  std::string png = read_file(image_golden("grey.png"));
  const auto set_size = [&](uint32_t side) {
    for (size_t i = 0; i < 4; ++i) png[16 + i] = png[20 + i] = static_cast<char>(side >> (24 - 8 * i));
    uint32_t crc = ~0u;  // of IHDR, bytes 12 to 28
    for (size_t i = 12; i < 29; ++i) {
      crc ^= static_cast<unsigned char>(png[i]);
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    for (size_t i = 0; i < 4; ++i) png[29 + i] = static_cast<char>(~crc >> (24 - 8 * i));
  };
  set_size(8000);
  EXPECT_THAT(error_of(png), HasSubstr("cannot hold 8000 x 8000 pixels"));
  set_size(65000);
  EXPECT_THAT(error_of(png), HasSubstr("more than the limit of 67108864"));
  set_size(0);
  EXPECT_NE(error_of(png), "");
}

// A progressive file whose last scan is repeated without end would make the decoder pass over the image each time.
TEST(Image, TooManyScansAreRefused) {
  const std::string jpeg = read_file(image_golden("progressive.jpg"));
  const size_t last = jpeg.rfind("\xFF\xDA");
  const std::string scan = jpeg.substr(last, jpeg.size() - 2 - last);
  std::string many = jpeg.substr(0, jpeg.size() - 2);
  for (int i = 0; i < 2000; ++i) many += scan;
  EXPECT_THAT(error_of(many + "\xFF\xD9"), HasSubstr("more than 100 scans"));
}

TEST(Image, OrientationIsReadFromEveryPlace) {
  const auto orientation = [](const std::string& name) {
    const std::string content = read_file(image_golden(name));
    return image_orientation(std::as_bytes(std::span(content)));
  };
  for (int i = 1; i <= 8; ++i) EXPECT_EQ(orientation("orientation_" + std::to_string(i) + ".jpg"), i);
  EXPECT_EQ(orientation("orientation_6.png"), 6);
  EXPECT_EQ(orientation("orientation_xmp_8.png"), 8);
  EXPECT_EQ(orientation("xmp_5.jpg"), 5);
  EXPECT_EQ(orientation("exif_little_endian.jpg"), 3);
  EXPECT_EQ(orientation("rgb.png"), 1);
}

TEST(Image, UprightTurnsAndMirrors) {
  const Image image{3, 2, 1, {1, 2, 3, 4, 5, 6}};
  EXPECT_EQ(upright(image, 2).pixels, (std::vector<uint8_t>{3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(upright(image, 3).pixels, (std::vector<uint8_t>{6, 5, 4, 3, 2, 1}));
  EXPECT_EQ(upright(image, 6), (Image{2, 3, 1, {4, 1, 5, 2, 6, 3}}));
  EXPECT_EQ(upright(image, 8), (Image{2, 3, 1, {3, 6, 2, 5, 1, 4}}));
  EXPECT_EQ(upright(image, 9), image);
  EXPECT_EQ(as_rgb({2, 1, 1, {7, 9}}), (Image{2, 1, 3, {7, 7, 7, 9, 9, 9}}));
}

TEST(Image, FilesThatAreNone) {
  const heed::testing::TemporaryFolder folder;
  EXPECT_THROW(read_image(folder / "absent.png"), DataError);
  EXPECT_THROW(read_image(folder.path()), DataError);
  write_file_atomically(folder / "big.png", std::string(100, 'x'));
  EXPECT_THROW(read_image(folder / "big.png", {.file_bytes = 99}), DataError);
}

}  // namespace
}  // namespace heed::data
