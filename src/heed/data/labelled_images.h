// Images with one label each, in one of three forms:
//
//   a folder      with a folder of JPEG and PNG files for each label
//   a table       .csv, .tsv or .jsonl (data/tables.h) of paths, relative to the table's folder, and labels
//   an IDX file   of images, its labels beside it under the name that MNIST gives them: train-images-idx3-ubyte(.gz)
//                 and train-labels-idx1-ubyte(.gz); a label is a number, that of the class
//
// Files are decoded when asked for; IDX files lie in memory. Immutable but for shuffle(), hence thread-safe; copies
// share the IDX file's pixels.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "heed/data/idx.h"
#include "heed/data/image.h"

namespace heed::data {

// The columns of a table. Empty: the first that there is of the usual names (path, file, file_name, image; label,
// class).
struct ImageTableOptions {
  std::string path{}, label{};
  bool header = true;
};

class LabelledImages {
 public:
  // What `path` is says the form. Of a folder, labels are the names of the folders in it and files are sorted by their
  // paths. Throws DataError naming the place for what is malformed, empty or missing a label; IoError, UsageError.
  static LabelledImages read(const std::filesystem::path& path, const ImageTableOptions& options = {});

  size_t size() const { return items_.size(); }
  const std::string& label(size_t i) const { return items_[i].label; }

  // For messages: "photos/cat/1.jpg", "train.csv:17", "train-images-idx3-ubyte: image 17".
  std::string place(size_t i) const;

  // Decoded and upright: RGB, of an IDX file grey. Throws DataError with the place if it cannot be read.
  Image image(size_t i) const;

  // The IDX file's, nullptr for the other forms: all images are of one size, and labels are numbers of classes.
  const IdxImages* idx() const { return idx_.get(); }

  // Whether the order says something: images that came from folders stand label by label.
  bool by_label() const { return by_label_; }
  // Another order, always the same.
  void shuffle();
  // The images [begin, end).
  LabelledImages part(size_t begin, size_t end) const;

  const std::string& source() const { return source_; }  // the path

 private:
  struct Item {
    std::string label;
    std::filesystem::path file;  // empty: in the IDX file
    uint32_t number = 0;         // in the IDX file, or the table's line
  };

  void read_folder(const std::filesystem::path& folder);
  void read_table(const std::filesystem::path& file, const ImageTableOptions& options);
  void read_idx(const std::filesystem::path& file);

  std::string source_;
  bool by_label_ = false, in_table_ = false;
  std::vector<Item> items_;
  std::shared_ptr<const IdxImages> idx_;
};

// The labels that occur, sorted by their bytes, or by value if all are whole numbers; of an IDX file all numbers up to
// the highest.
std::vector<std::string> labels_of(const LabelledImages& images);

// The number of each image's label among `labels`; of an IDX file the label itself. Throws DataError with the place for
// a label that is none of them.
std::vector<int32_t> classes_of(const LabelledImages& images, const std::vector<std::string>& labels);

// The path itself if it is a file; the JPEG and PNG files (by their names) in it and in the folders in it, sorted, if
// it is a folder. Throws DataError if it is neither or the folder has none, IoError if it cannot be read.
std::vector<std::filesystem::path> image_files(const std::filesystem::path& path);

}  // namespace heed::data
