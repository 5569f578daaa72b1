// IDX files: Fashion-MNIST, and files that are damaged.
#include "heed/data/idx.h"

#include <gmock/gmock.h>

#include <array>
#include <cmath>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "shared_files.h"

namespace heed::data {
namespace {

using heed::testing::TemporaryFolder;
using ::testing::HasSubstr;

// 2 images of 2 x 3 pixels.
std::string small_file() { return std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x03", 16) + "abcdefghijkl"; }

std::string error_of(const std::string& content, bool labels = false) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "x.idx", content);
  try {
    if (labels) read_idx_labels((folder / "x.idx").string());
    else read_idx_images((folder / "x.idx").string());
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("x.idx"));
    return error.what();
  }
  return "";
}

TEST(Idx, ReadsImages) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "x.idx", small_file());
  const IdxImages images = read_idx_images((folder / "x.idx").string());
  EXPECT_EQ(images.count, 2);
  EXPECT_EQ(images.image(1), (Image{3, 2, 1, {'g', 'h', 'i', 'j', 'k', 'l'}}));
}

TEST(Idx, DamageIsNamed) {
  const std::string file = small_file();
  for (size_t size = 0; size < file.size(); ++size) EXPECT_NE(error_of(file.substr(0, size)), "") << size;
  EXPECT_THAT(error_of(file.substr(0, 20)), HasSubstr("cut off: 4 of 12"));
  EXPECT_THAT(error_of(file + "m"), HasSubstr("more bytes"));
  EXPECT_THAT(error_of("PNG not at all"), HasSubstr("not an IDX file"));
  EXPECT_THAT(error_of(file, true), HasSubstr("3 dimensions; 1 were expected"));
  std::string other = file;
  other[2] = 0x0D;
  EXPECT_THAT(error_of(other), HasSubstr("type 13"));
  other = file;
  other[8] = '\x7F';
  EXPECT_THAT(error_of(other), HasSubstr("a dimension of 2130706434"));
  other = file;
  other[5] = '\x20';  // two million images that are not there
  EXPECT_THAT(error_of(other), HasSubstr("cut off"));
  other = file;
  other[15] = '\0';
  other.resize(16);
  EXPECT_THAT(error_of(other), HasSubstr("images of 0 x 2"));
}

// The mean and deviation of the training set, and ten balanced classes, as its data card says.
TEST(Idx, FashionMnist) {
  HEED_NEEDS_SHARED("data/fashion-mnist");
  const auto path = [](const std::string& name) {
    return heed::testing::shared_path("data/fashion-mnist/" + name + "-ubyte.gz").string();
  };
  for (const auto& [images_file, labels_file, count] :
       {std::tuple("train-images-idx3", "train-labels-idx1", 60000), {"t10k-images-idx3", "t10k-labels-idx1", 10000}}) {
    const IdxImages images = read_idx_images(path(images_file));
    EXPECT_EQ(images.count, count);
    EXPECT_EQ(images.height, 28);
    EXPECT_EQ(images.width, 28);
    std::array<int, 256> per_class{};
    const auto labels = read_idx_labels(path(labels_file));
    for (const uint8_t label : labels) ++per_class[label];
    for (int c = 0; c < 256; ++c) EXPECT_EQ(per_class[static_cast<size_t>(c)], c < 10 ? count / 10 : 0);
    if (count != 60000) continue;
    double sum = 0, squares = 0;
    for (const uint8_t p : images.pixels) {
      sum += p / 255.0;
      squares += p / 255.0 * (p / 255.0);
    }
    const auto n = static_cast<double>(images.pixels.size());
    EXPECT_NEAR(sum / n, 0.28604, 1e-5);
    EXPECT_NEAR(std::sqrt(squares / n - sum / n * sum / n), 0.35302, 1e-5);
  }
}

}  // namespace
}  // namespace heed::data
