// Labelled images as folders, tables and IDX files, and what of their damage is named.
#include "heed/data/labelled_images.h"

#include <gmock/gmock.h>

#include "heed/base/files.h"
#include "image_goldens.h"
#include "made_files.h"
#include "message_of.h"

namespace heed::data {
namespace {

using heed::testing::message_of;
using heed::testing::put;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::image_golden;
using Path = std::filesystem::path;

// Copies the image under another name, with the folders to it.
void place_image(const Path& to, const std::string& golden = "rgb.png") {
  std::filesystem::create_directories(to.parent_path());
  std::filesystem::copy_file(image_golden(golden), to);
}

std::vector<std::string> labels(const LabelledImages& images) {
  std::vector<std::string> all;
  for (size_t i = 0; i < images.size(); ++i) all.push_back(images.label(i));
  return all;
}

std::vector<std::string> names(const LabelledImages& images) {
  std::vector<std::string> all;
  for (size_t i = 0; i < images.size(); ++i) all.push_back(Path(images.place(i)).filename().string());
  return all;
}

// Three images of 2 x 1 pixels with the labels 0, 2, 1.
void put_idx(const testing::TemporaryFolder& folder, const std::string& labels = {"\0\2\1", 3}) {
  put(folder, "a-images-idx3-ubyte", std::string("\0\0\x08\3\0\0\0\3\0\0\0\1\0\0\0\2", 16) + "abcdef");
  put(folder, "a-labels-idx1-ubyte", std::string("\0\0\x08\1\0\0\0", 7) + static_cast<char>(labels.size()) + labels);
}

TEST(LabelledImages, AFolderForEachLabel) {
  const testing::TemporaryFolder folder;
  for (const char* name : {"dog/2.png", "dog/more/1.png", "cat/b.png", "cat/a.PNG", ".hidden/x.png"})
    place_image(folder / name);
  put(folder, "notes.txt", "x");
  LabelledImages images = LabelledImages::read(folder.path());
  EXPECT_THAT(labels(images), ElementsAre("cat", "cat", "dog", "dog"));
  EXPECT_THAT(names(images), ElementsAre("a.PNG", "b.png", "2.png", "1.png"));
  EXPECT_EQ(images.image(0), read_image(image_golden("rgb.png")));
  EXPECT_THAT(labels_of(images), ElementsAre("cat", "dog"));
  EXPECT_THAT(classes_of(images, {"dog", "cat"}), ElementsAre(1, 1, 0, 0));
  EXPECT_THAT(message_of<DataError>([&] {
                classes_of(images, {"cat", "cow"});
              }),
              EndsWith("dog/2.png: the label \"dog\" is none of the model's: cat, cow"));
  EXPECT_THAT(names(images.part(1, 3)), ElementsAre("b.png", "2.png"));
  ASSERT_TRUE(images.by_label());
  LabelledImages other = images;
  images.shuffle();
  other.shuffle();
  EXPECT_EQ(names(images), names(other));
  EXPECT_NE(names(images), names(LabelledImages::read(folder.path())));
  EXPECT_FALSE(images.by_label());
}

TEST(LabelledImages, ATableOfPathsAndLabels) {
  const testing::TemporaryFolder folder;
  place_image(folder / "in/x, y.png");
  place_image(folder / "z.jpg", "rgb.jpg");
  const Path csv = put(folder, "t.csv", "label,file\n10,\"in/x, y.png\"\n9," + (folder / "z.jpg").string() + "\n");
  const LabelledImages images = LabelledImages::read(csv);
  EXPECT_THAT(labels(images), ElementsAre("10", "9"));
  EXPECT_THAT(labels_of(images), ElementsAre("9", "10"));  // by value
  EXPECT_THAT(images.place(1), EndsWith("t.csv:3"));
  EXPECT_EQ(images.image(1), read_image(image_golden("rgb.jpg")));
  EXPECT_FALSE(images.by_label());
  const Path tsv = put(folder, "t.tsv", "z.jpg\ta\n");
  EXPECT_THAT(labels(LabelledImages::read(tsv, {.header = false})), ElementsAre("a"));
  const Path jsonl = put(folder, "t.jsonl", "{\"photo\": \"z.jpg\", \"kind\": \"b\"}\n");
  EXPECT_THAT(labels(LabelledImages::read(jsonl, {.path = "photo", .label = "kind"})), ElementsAre("b"));
  EXPECT_THAT(message_of<DataError>([&] { LabelledImages::read(jsonl); }),
              HasSubstr("t.jsonl: no column is called path"));
}

TEST(LabelledImages, IdxFiles) {
  const testing::TemporaryFolder folder;
  put_idx(folder);
  const LabelledImages images = LabelledImages::read(folder / "a-images-idx3-ubyte");
  EXPECT_THAT(labels(images), ElementsAre("0", "2", "1"));
  EXPECT_EQ(images.image(1), (Image{2, 1, 1, {'c', 'd'}}));
  ASSERT_NE(images.idx(), nullptr);
  EXPECT_THAT(labels_of(images.part(1, 2)), ElementsAre("0", "1", "2"));  // also those that do not occur
  EXPECT_THAT(classes_of(images, {"zero", "one", "two"}), ElementsAre(0, 2, 1));
  EXPECT_THAT(message_of<UsageError>([&] { LabelledImages::read(folder / "a-images-idx3-ubyte", {.label = "kind"}); }),
              HasSubstr("is no table (.csv, .tsv, .jsonl), so that it has no columns to choose"));
  EXPECT_THAT(message_of<DataError>([&] {
                classes_of(images, {"zero", "one"});
              }),
              EndsWith("a-images-idx3-ubyte: image 2: its label is 2, but there are 2 classes: 0 to 1"));
}

TEST(LabelledImages, DamageIsNamed) {
  const testing::TemporaryFolder folder;
  const auto reason = [&](const std::string& name) {
    return message_of<DataError>([&] {
      const LabelledImages images = LabelledImages::read(folder / name);
      for (size_t i = 0; i < images.size(); ++i) images.image(i);
    });
  };
  EXPECT_THAT(reason("none"), EndsWith("none: no such file or folder"));
  std::filesystem::create_directories(folder / "empty");
  EXPECT_THAT(reason("empty"), HasSubstr("empty: a folder with a folder of images for each label is expected"));
  std::filesystem::create_directories(folder / "half/cat");
  EXPECT_THAT(reason("half"), HasSubstr("half/cat: the folder has no .jpg, .jpeg or .png file"));
  place_image(folder / "stray/x.png");
  EXPECT_THAT(reason("stray"), EndsWith("stray/x.png: lies in no folder that would be its label"));
  place_image(folder / "broken/cat/1.png");
  put(folder, "broken/cat/2.png", read_file(image_golden("rgb.png")).substr(0, 300));
  EXPECT_THAT(reason("broken"), HasSubstr("broken/cat/2.png"));
  put(folder, "t.csv", "path,label\nbroken/cat/1.png,a\nbroken/cat/3.png,b\n");
  EXPECT_THAT(reason("t.csv"), HasSubstr("t.csv:3: "));
  EXPECT_THAT(reason("t.csv"), EndsWith("broken/cat/3.png: no such file"));
  put(folder, "u.csv", "path,label\nbroken/cat/1.png,\n");
  EXPECT_THAT(reason("u.csv"), EndsWith("u.csv:2: the label is empty"));
  put_idx(folder, {"\0\1", 2});
  EXPECT_THAT(reason("a-images-idx3-ubyte"), HasSubstr("a-images-idx3-ubyte: 3 images, but 2 labels in "));
  std::filesystem::remove(folder / "a-labels-idx1-ubyte");
  EXPECT_THAT(reason("a-images-idx3-ubyte"), HasSubstr("its labels are expected beside it, in "));
  put(folder, "x.png", "text");
  EXPECT_THAT(reason("x.png"), HasSubstr("x.png: not an IDX file"));
}

TEST(LabelledImages, FilesOfAFolder) {
  const testing::TemporaryFolder folder;
  for (const char* name : {"b.JPG", "a.png", "c.jpeg", "notes.txt"}) put(folder, name, "x");
  std::filesystem::create_directory(folder / "aa");
  put(folder, "aa/d.png", "x");
  EXPECT_EQ(image_files(folder.path()),
            (std::vector<Path>{folder / "a.png", folder / "aa/d.png", folder / "b.JPG", folder / "c.jpeg"}));
  EXPECT_EQ(image_files(folder / "notes.txt"), std::vector<Path>{folder / "notes.txt"});
  EXPECT_THROW(image_files(folder / "absent"), DataError);
  std::filesystem::create_directory(folder / "empty");
  EXPECT_THROW(image_files(folder / "empty"), DataError);
}

}  // namespace
}  // namespace heed::data
