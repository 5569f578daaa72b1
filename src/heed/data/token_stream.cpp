#include "heed/data/token_stream.h"

#include <bit>
#include <cstring>
#include <limits>

#include "heed/base/error.h"

namespace heed::data {
namespace fs = std::filesystem;
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "heedtok1";
constexpr size_t kTail = sizeof(uint64_t) + kMagic.size();

template <class Id>
void append_ids(std::vector<int32_t>& to, const std::byte* ids, uint64_t begin, uint64_t count) {
  const size_t old = to.size();
  to.resize(old + count);
  for (uint64_t i = 0; i < count; ++i) {
    Id id;
    std::memcpy(&id, ids + (begin + i) * sizeof(Id), sizeof(Id));
    to[old + i] = static_cast<int32_t>(id);
  }
}

// The JSON at the end of a file, and where it begins.
std::pair<Json, uint64_t> read_about(std::string_view file, const std::string& name) {
  check<FormatError>(file.size() >= kTail && file.ends_with(kMagic), "{}: is no token file, or not whole", name);
  uint64_t length = 0;
  std::memcpy(&length, file.data() + file.size() - kTail, sizeof length);
  check<FormatError>(length <= file.size() - kTail, "{}: its description of {} bytes is longer than the file", name,
                     length);
  const uint64_t begin = file.size() - kTail - length;
  return {parse_json(std::string(file.substr(begin, length)), name), begin};
}

uint64_t number(const Json& about, const char* key, const std::string& name) {
  check<FormatError>(about.is_object() && about.contains(key) && about[key].is_number_integer() && about[key] >= 0,
                     "{}: expected \"{}\", a number", name, key);
  return about[key].get<uint64_t>();
}

}  // namespace

TokenStream TokenStream::open(const fs::path& path) {
  TokenStream stream;
  auto file = std::make_shared<MappedFile>(path);
  const std::string name = path.string();
  const auto [about, begin] = read_about(file->text(), name);
  stream.width_ = static_cast<int>(number(about, "width", name));
  stream.size_ = number(about, "tokens", name);
  stream.counts_ = {number(about, "documents", name), number(about, "bytes", name)};
  const auto width = static_cast<uint64_t>(stream.width_);
  check<FormatError>((width == 2 || width == 4) && stream.size_ <= begin / width && stream.size_ * width == begin,
                     "{}: {} tokens of {} bytes, where the file has {} bytes for them", name, stream.size_, width,
                     begin);
  stream.of_ = about.value("of", Json());
  stream.ids_ = file->bytes().data();
  stream.file_ = std::move(file);
  return stream;
}

void TokenStream::append_to(std::vector<int32_t>& to, uint64_t begin, uint64_t end) const {
  check<UsageError>(begin <= end && end <= size_, "tokens {} to {} of a stream of {}", begin, end, size_);
  if (width_ == 2) append_ids<uint16_t>(to, ids_, begin, end - begin);
  else append_ids<uint32_t>(to, ids_, begin, end - begin);
}

TokenWriter::TokenWriter(int32_t vocab_size)
    : vocab_size_(vocab_size), width_(vocab_size <= std::numeric_limits<uint16_t>::max() + 1 ? 2 : 4) {}

TokenWriter::TokenWriter(int32_t vocab_size, const fs::path& file) : TokenWriter(vocab_size) {
  path_ = file;
  file_.emplace(file);
}

void TokenWriter::append(std::span<const int32_t> ids) {
  const auto width = static_cast<size_t>(width_);
  if (file_) memory_.clear();
  size_t at = memory_.size();
  memory_.resize(at + ids.size() * width);
  for (const int32_t id : ids) {
    check<DataError>(id >= 0 && id < vocab_size_, "the tokenizer gave the id {}, where it has {} tokens", id,
                     vocab_size_);
    std::memcpy(memory_.data() + at, &id, width);  // the low bytes come first
    at += width;
  }
  if (file_) file_->write(memory_);
  size_ += ids.size();
}

TokenStream TokenWriter::finish(const TextCounts& counts, Json of) {
  if (file_) {
    const std::string about = Json{
        {"width", width_},
        {"tokens", size_},
        {"documents", counts.documents},
        {"bytes", counts.bytes},
        {"of", std::move(of)}}.dump();
    const uint64_t length = about.size();
    file_->write(about);
    file_->write(std::as_bytes(std::span(&length, 1)));
    file_->write(kMagic);
    file_->commit();
    file_.reset();
    return TokenStream::open(path_);
  }
  TokenStream stream;
  stream.memory_ = std::make_shared<const std::vector<std::byte>>(std::move(memory_));
  stream.ids_ = stream.memory_->data();
  stream.size_ = size_;
  stream.width_ = width_;
  stream.counts_ = counts;
  return stream;
}

}  // namespace heed::data
