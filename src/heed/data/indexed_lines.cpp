#include "heed/data/indexed_lines.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "heed/base/error.h"

namespace heed::data {
namespace fs = std::filesystem;
namespace {

constexpr size_t kBufferSize = size_t{1} << 18;

// A file without a name, for a text too large for memory.
class NamelessFile {
 public:
  explicit NamelessFile(const fs::path& folder) : folder_(folder) {
    std::string pattern = (folder / "heed-unpacked-XXXXXX").string();
    fd_ = ::mkostemp(pattern.data(), O_CLOEXEC);
    check<IoError>(fd_ >= 0, "{}: cannot create a file there: {}", folder.string(), errno_text(errno));
    ::unlink(pattern.c_str());
  }
  NamelessFile(const NamelessFile&) = delete;
  NamelessFile& operator=(const NamelessFile&) = delete;
  ~NamelessFile() { ::close(fd_); }

  void write(std::string_view content) {
    while (!content.empty()) {
      const ssize_t count = ::write(fd_, content.data(), content.size());
      if (count < 0 && errno == EINTR) continue;
      check<IoError>(count >= 0, "{}: cannot write unpacked text there: {} (TMPDIR names another folder)",
                     folder_.string(), errno_text(errno));
      content.remove_prefix(static_cast<size_t>(count));
    }
  }

  MappedFile map() const { return MappedFile(fmt::format("/proc/self/fd/{}", fd_)); }

 private:
  fs::path folder_;
  int fd_ = -1;
};

MappedFile unpacked(text::ByteSource& bytes, const fs::path& scratch) {
  NamelessFile file(scratch);
  std::vector<char> buffer(kBufferSize);
  while (const size_t count = bytes.read(buffer)) file.write({buffer.data(), count});
  return file.map();
}

}  // namespace

void OffsetIndex::append(uint64_t offset) {
  while (wraps_.size() < offset >> 32) wraps_.push_back(low_.size());
  low_.push_back(static_cast<uint32_t>(offset));
}

uint64_t OffsetIndex::operator[](uint64_t i) const {
  const auto high = std::upper_bound(wraps_.begin(), wraps_.end(), i) - wraps_.begin();
  return static_cast<uint64_t>(high) << 32 | low_[i];
}

fs::path default_scratch_folder() {
  if (const char* chosen = std::getenv("TMPDIR"); chosen && *chosen) return chosen;
  return ::access("/var/tmp", W_OK) == 0 ? "/var/tmp" : "/tmp";
}

IndexedLines::IndexedLines(const std::string& path, text::LineOptions options, const fs::path& scratch,
                           const Visit& visit)
    : path_(path) {
  text::check_ordinary_file(path);
  const auto bytes = text::open_bytes(path);
  compression_ = bytes->compression();
  text_ = compression_ == text::Compression::kNone ? MappedFile(path) : unpacked(*bytes, scratch);
  text::LineRules rules(path, options);
  index(rules, visit);
  report_ = rules.report();
  check<DataError>(size() > 0, "{}: holds no line", path);
}

void IndexedLines::index(text::LineRules& rules, const Visit& visit) {
  const std::string_view text = text_.text();
  std::string scratch;
  size_t begin = rules.byte_order_mark(text);
  starts_.append(begin);
  while (begin < text.size()) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    rules.apply(line, scratch);
    if (visit) visit(size(), text::without_carriage_return(line));
    begin = end + 1;
    starts_.append(begin);
  }
}

std::string_view IndexedLines::raw(uint64_t i) const {
  const uint64_t begin = starts_[i], next = starts_[i + 1];
  return text::without_carriage_return(text_.text().substr(begin, next - 1 - begin));
}

}  // namespace heed::data
