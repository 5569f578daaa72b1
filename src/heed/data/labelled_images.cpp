#include "heed/data/labelled_images.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <unordered_map>

#include "heed/base/error.h"
#include "heed/base/random.h"
#include "heed/data/tables.h"

namespace heed::data {
namespace fs = std::filesystem;
namespace {

bool named_as_image(const fs::path& file) {
  std::string extension = file.extension().string();
  for (char& c : extension) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

bool named_as_table(fs::path file) {
  if (file.extension() == ".gz" || file.extension() == ".zst") file = file.stem();
  const fs::path extension = file.extension();
  return extension == ".csv" || extension == ".tsv" || extension == ".jsonl" || extension == ".json";
}

// "train-images-idx3-ubyte.gz" -> "train-labels-idx1-ubyte.gz"
fs::path labels_file_of(const fs::path& images) {
  std::string name = images.filename().string();
  for (const auto& [from, to] : {std::pair("images", "labels"), std::pair("idx3", "idx1")})
    if (const size_t at = name.find(from); at != std::string::npos) name.replace(at, std::string_view(from).size(), to);
  return images.parent_path() / name;
}

std::optional<int64_t> whole_number(const std::string& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

size_t column_of(const Table& table, const std::string& given, std::initializer_list<std::string_view> usual) {
  return given.empty() ? table.column(usual) : table.column({given});
}

}  // namespace

LabelledImages LabelledImages::read(const fs::path& path, const ImageTableOptions& options) {
  std::error_code code;
  check<DataError>(fs::exists(path, code), "{}: no such file or folder", path.string());
  LabelledImages images;
  images.source_ = path.string();
  const bool is_table = !fs::is_directory(path, code) && named_as_table(path);
  check<UsageError>(is_table || (options.path.empty() && options.label.empty()),
                    "{}: is no table (.csv, .tsv, .jsonl), so that it has no columns to choose", path.string());
  if (fs::is_directory(path, code)) images.read_folder(path);
  else if (is_table) images.read_table(path, options);
  else images.read_idx(path);
  return images;
}

void LabelledImages::read_folder(const fs::path& folder) {
  by_label_ = true;
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory() && !entry.path().filename().string().starts_with('.')) folders.push_back(entry.path());
    check<DataError>(entry.is_directory() || !named_as_image(entry.path()),
                     "{}: lies in no folder that would be its label", entry.path().string());
  }
  check<DataError>(!folders.empty(), "{}: a folder with a folder of images for each label is expected", source_);
  std::sort(folders.begin(), folders.end());
  for (const fs::path& one : folders)
    for (fs::path& file : image_files(one)) items_.push_back({one.filename().string(), std::move(file), 0});
}

void LabelledImages::read_table(const fs::path& file, const ImageTableOptions& options) {
  in_table_ = true;
  const Table table = Table::read(file, {.header = options.header});
  const size_t path = column_of(table, options.path, {"path", "file", "file_name", "filename", "image", "1"});
  const size_t label = column_of(table, options.label, {"label", "class", "2"});
  for (size_t row = 0; row < table.rows(); ++row) {
    Item item{std::string(table.cell(row, label)), file.parent_path() / table.cell(row, path), 0};
    check<DataError>(!item.label.empty(), "{}: the label is empty", table.where(row));
    item.number = static_cast<uint32_t>(table.line(row));
    items_.push_back(std::move(item));
  }
}

void LabelledImages::read_idx(const fs::path& file) {
  auto images = std::make_shared<IdxImages>(read_idx_images(source_));
  const fs::path labels_file = labels_file_of(file);
  check<DataError>(labels_file != file && fs::exists(labels_file),
                   "{}: its labels are expected beside it, in {} (as train-labels-idx1-ubyte belongs to "
                   "train-images-idx3-ubyte)",
                   source_, labels_file.string());
  const std::vector<uint8_t> labels = read_idx_labels(labels_file.string());
  check<DataError>(static_cast<size_t>(images->count) == labels.size(), "{}: {} images, but {} labels in {}", source_,
                   images->count, labels.size(), labels_file.string());
  check<DataError>(!labels.empty(), "{}: the file holds no images", source_);
  for (uint32_t i = 0; i < labels.size(); ++i) items_.push_back({std::to_string(labels[i]), {}, i});
  idx_ = std::move(images);
}

std::string LabelledImages::place(size_t i) const {
  const Item& item = items_[i];
  if (idx_) return fmt::format("{}: image {}", source_, item.number + 1);
  return in_table_ ? fmt::format("{}:{}", source_, item.number) : item.file.string();
}

Image LabelledImages::image(size_t i) const {
  const Item& item = items_[i];
  if (idx_) return idx_->image(static_cast<int>(item.number));
  try {
    return read_image(item.file);
  } catch (const Error& error) {
    if (in_table_) fail<DataError>("{}: {}", place(i), error.what());
    throw DataError(error.what());
  }
}

void LabelledImages::shuffle() {
  Random random(0);
  random.shuffle(items_);
  by_label_ = false;
}

LabelledImages LabelledImages::part(size_t begin, size_t end) const {
  LabelledImages result = *this;
  result.items_.assign(items_.begin() + static_cast<ptrdiff_t>(begin), items_.begin() + static_cast<ptrdiff_t>(end));
  return result;
}

std::vector<std::string> labels_of(const LabelledImages& images) {
  std::set<std::string> unique;
  for (size_t i = 0; i < images.size(); ++i) unique.insert(images.label(i));
  std::vector<std::string> labels(unique.begin(), unique.end());
  if (std::all_of(labels.begin(), labels.end(), [](const std::string& s) { return whole_number(s).has_value(); }))
    std::sort(labels.begin(), labels.end(),
              [](const std::string& a, const std::string& b) { return *whole_number(a) < *whole_number(b); });
  if (!images.idx()) return labels;
  const int64_t highest = *whole_number(labels.back());
  labels.clear();
  for (int64_t number = 0; number <= highest; ++number) labels.push_back(std::to_string(number));
  return labels;
}

std::vector<int32_t> classes_of(const LabelledImages& images, const std::vector<std::string>& labels) {
  std::unordered_map<std::string, int32_t> numbers;
  for (size_t c = 0; c < labels.size(); ++c)
    numbers.emplace(images.idx() ? std::to_string(c) : labels[c], static_cast<int32_t>(c));
  std::vector<int32_t> classes;
  for (size_t i = 0; i < images.size(); ++i) {
    const auto found = numbers.find(images.label(i));
    if (found == numbers.end() && images.idx())
      fail<DataError>("{}: its label is {}, but there are {} classes: 0 to {}", images.place(i), images.label(i),
                      labels.size(), labels.size() - 1);
    check<DataError>(found != numbers.end(), "{}: the label \"{}\" is none of the model's: {}", images.place(i),
                     images.label(i), fmt::join(labels, ", "));
    classes.push_back(found->second);
  }
  return classes;
}

std::vector<fs::path> image_files(const fs::path& path) {
  std::error_code code;
  if (!fs::is_directory(path, code)) {
    check<DataError>(fs::exists(path, code), "{}: no such file or folder", path.string());
    return {path};
  }
  std::vector<fs::path> files;
  for (auto it = fs::recursive_directory_iterator(path, code); !code && it != fs::recursive_directory_iterator();
       it.increment(code)) {
    std::error_code ignored;
    if (it->is_regular_file(ignored) && named_as_image(it->path())) files.push_back(it->path());
  }
  check<IoError>(!code, "{}: {}", path.string(), code.message());
  check<DataError>(!files.empty(), "{}: the folder has no .jpg, .jpeg or .png file", path.string());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace heed::data
