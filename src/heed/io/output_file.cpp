#include "heed/io/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include "heed/base/error.h"
#include "heed/base/files.h"

namespace heed::io {
namespace fs = std::filesystem;
namespace {

constexpr size_t kBuffer = 1 << 18;

}  // namespace

OutputFile::OutputFile(const fs::path& target) : target_(fs::absolute(target).lexically_normal()) {
  static std::atomic<unsigned> counter{0};
  buffer_.reserve(kBuffer);
  // A former process of the same id (usual in containers) may have left its temporary behind: the next name is tried.
  do {
    temporary_ =
        target_.parent_path() / fmt::format(".{}.tmp-{}-{}", target_.filename().string(), ::getpid(), counter++);
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (fd_ < 0 && errno == EEXIST);
  check<IoError>(fd_ >= 0, "{}: cannot create: {}", temporary_.string(), errno_text(errno));
}

OutputFile::~OutputFile() { discard(); }

void OutputFile::discard() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

void OutputFile::put(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    check<IoError>(n >= 0, "{}: cannot write: {}", target_.string(), errno_text(errno));
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

void OutputFile::flush() {
  put(buffer_);
  buffer_.clear();
}

void OutputFile::write(std::span<const std::byte> bytes) {
  hash_.update(bytes);
  size_ += bytes.size();
  if (buffer_.size() + bytes.size() > kBuffer) flush();
  if (bytes.size() >= kBuffer) put(bytes);
  else buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

void OutputFile::commit() {
  flush();
  check<IoError>(::fsync(fd_) == 0, "{}: cannot sync: {}", target_.string(), errno_text(errno));
  const int closed = ::close(std::exchange(fd_, -1));
  check<IoError>(closed == 0, "{}: cannot close: {}", target_.string(), errno_text(errno));
  check<IoError>(::rename(temporary_.c_str(), target_.c_str()) == 0, "{}: cannot put the new file in place: {}",
                 target_.string(), errno_text(errno));
  temporary_.clear();
  sync_path(target_.parent_path());
}

}  // namespace heed::io
