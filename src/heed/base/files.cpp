#include "heed/base/files.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <utility>

#include "heed/base/error.h"

namespace heed {
namespace fs = std::filesystem;
namespace {

// A file descriptor that closes itself. Errors name `path`.
class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags) : Descriptor(path, path, flags, 0) {}
  Descriptor(const fs::path& path, const fs::path& opened, int flags, mode_t mode)
      : path_(path), fd_(::open(opened.c_str(), flags, mode)) {
    check<IoError>(fd_ >= 0, "{}: cannot open: {}", path.string(), errno_text(errno));
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }

  void write_all(std::string_view content) {
    while (!content.empty()) {
      const ssize_t n = ::write(fd_, content.data(), content.size());
      if (n < 0 && errno == EINTR) continue;
      check<IoError>(n >= 0, "{}: cannot write: {}", path_.string(), errno_text(errno));
      content.remove_prefix(static_cast<size_t>(n));
    }
  }

  void sync() { check<IoError>(::fsync(fd_) == 0, "{}: cannot sync: {}", path_.string(), errno_text(errno)); }

  void close() {
    const int fd = std::exchange(fd_, -1);
    check<IoError>(::close(fd) == 0, "{}: cannot close: {}", path_.string(), errno_text(errno));
  }

 private:
  fs::path path_;
  int fd_;
};

// Tells this process from an earlier one that had the same number.
const std::string& process_token() {
  static const std::string token =
      fmt::format("{}-{:x}", ::getpid(), std::chrono::system_clock::now().time_since_epoch().count());
  return token;
}

// A name in the same folder that no other writer of this process or another uses.
fs::path temporary_name(const fs::path& target) {
  static std::atomic<unsigned> counter{0};
  return target.parent_path() / fmt::format(".{}.tmp-{}-{}", target.filename().string(), process_token(), counter++);
}

// Whether the writer of an unfinished "PID-…" is still at work.
bool is_at_work(const std::string& owner) {
  if (owner.starts_with(process_token())) return true;
  const long pid = std::strtol(owner.c_str(), nullptr, 10);
  return pid > 0 && pid != ::getpid() && ::kill(static_cast<pid_t>(pid), 0) == 0;
}

fs::path aside_name(const fs::path& target) {
  return target.parent_path() / fmt::format(".{}.old", target.filename().string());
}

fs::path without_trailing_slash(const fs::path& path) {
  const fs::path absolute = fs::absolute(path).lexically_normal();
  return absolute.has_filename() ? absolute : absolute.parent_path();
}

void rename_path(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  check<IoError>(!error, "{}: cannot rename to {}: {}", from.string(), to.string(), error.message());
}

}  // namespace

std::string read_file(const fs::path& file) {
  Descriptor in(file, O_RDONLY | O_CLOEXEC);
  struct stat info {};
  check<IoError>(::fstat(in.get(), &info) == 0, "{}: cannot stat: {}", file.string(), errno_text(errno));
  check<IoError>(!S_ISDIR(info.st_mode), "{}: is a folder, not a file", file.string());
  std::string content;
  content.reserve(static_cast<size_t>(info.st_size));
  char buffer[1 << 16];
  for (;;) {
    const ssize_t n = ::read(in.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    check<IoError>(n >= 0, "{}: cannot read: {}", file.string(), errno_text(errno));
    if (n == 0) return content;
    content.append(buffer, static_cast<size_t>(n));
  }
}

void sync_path(const fs::path& path) { Descriptor(path, O_RDONLY | O_CLOEXEC).sync(); }

void write_file_atomically(const fs::path& file, std::string_view content) {
  const fs::path target = without_trailing_slash(file);
  const fs::path temporary = temporary_name(target);
  try {
    Descriptor out(file, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    out.write_all(content);
    out.sync();
    out.close();
    rename_path(temporary, target);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
  sync_path(target.parent_path());
}

void check_output(const fs::path& file) {
  check<IoError>(!fs::is_directory(file), "{}: is a folder, not a file to write", file.string());
  const fs::path folder = fs::absolute(file).parent_path();
  check<IoError>(fs::is_directory(folder), "{}: there is no folder {}", file.string(), folder.string());
}

void write_output(const fs::path& file, std::string_view content) {
  check_output(file);
  std::error_code error;
  const fs::file_status status = fs::status(file, error);  // of what a link leads to
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    Descriptor out(file, O_WRONLY | O_CLOEXEC);
    out.write_all(content);
    return out.close();
  }
  write_file_atomically(fs::is_symlink(file) ? fs::weakly_canonical(file) : file, content);
}

void write_folder_atomically(const fs::path& folder, const std::function<void(const fs::path&)>& fill) {
  const fs::path target = without_trailing_slash(folder);
  recover_folder(target);
  const fs::path temporary = temporary_name(target);
  const fs::path aside = aside_name(target);
  std::error_code error;
  fs::create_directories(temporary, error);
  check<IoError>(!error, "{}: cannot create: {}", temporary.string(), error.message());
  try {
    fill(temporary);
    for (const auto& entry : fs::recursive_directory_iterator(temporary)) sync_path(entry.path());
    sync_path(temporary);
    if (fs::exists(target)) rename_path(target, aside);
    rename_path(temporary, target);
  } catch (...) {
    fs::remove_all(temporary, error);
    recover_folder(target);
    throw;
  }
  sync_path(target.parent_path());
  fs::remove_all(aside, error);
}

void recover_folder(const fs::path& folder) {
  const fs::path target = without_trailing_slash(folder);
  const fs::path aside = aside_name(target);
  std::error_code error;
  if (fs::exists(aside, error)) {
    if (fs::exists(target, error)) fs::remove_all(aside, error);
    else rename_path(aside, target);
  }
  const std::string unfinished = fmt::format(".{}.tmp-", target.filename().string());
  for (const auto& entry : fs::directory_iterator(target.parent_path(), error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(unfinished)) continue;
    if (is_at_work(name.substr(unfinished.size()))) continue;
    std::error_code ignored;
    fs::remove_all(entry.path(), ignored);
  }
}

ReadableFile::ReadableFile(const fs::path& file) : path_(file), fd_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)) {
  check<IoError>(fd_ >= 0, "{}: cannot open: {}", file.string(), errno_text(errno));
  struct stat info {};
  const bool ordinary = ::fstat(fd_, &info) == 0 && S_ISREG(info.st_mode);
  if (!ordinary) ::close(std::exchange(fd_, -1));
  check<IoError>(ordinary, "{}: not an ordinary file", file.string());
  size_ = static_cast<size_t>(info.st_size);
}

ReadableFile::ReadableFile(ReadableFile&& other) noexcept { *this = std::move(other); }

ReadableFile& ReadableFile::operator=(ReadableFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  return *this;
}

ReadableFile::~ReadableFile() {
  if (fd_ >= 0) ::close(fd_);
}

void ReadableFile::read_at(uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t n = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    check<IoError>(n >= 0, "{}: cannot read: {}", path_.string(), errno_text(errno));
    check<IoError>(n > 0, "{}: was cut short while it was being read: it ends before byte {}", path_.string(),
                   offset + out.size());
    offset += static_cast<uint64_t>(n);
    out = out.subspan(static_cast<size_t>(n));
  }
}

void ReadableFile::check_not_cut() const {
  struct stat info {};
  check<IoError>(::fstat(fd_, &info) == 0, "{}: cannot stat: {}", path_.string(), errno_text(errno));
  check<IoError>(static_cast<size_t>(info.st_size) >= size_,
                 "{}: was cut short while it was open: {} bytes are left of {}", path_.string(), info.st_size, size_);
}

MappedFile::MappedFile(const fs::path& file) {
  Descriptor in(file, O_RDONLY | O_CLOEXEC);
  struct stat info {};
  check<IoError>(::fstat(in.get(), &info) == 0, "{}: cannot stat: {}", file.string(), errno_text(errno));
  check<IoError>(S_ISREG(info.st_mode), "{}: not an ordinary file", file.string());
  size_ = static_cast<size_t>(info.st_size);
  if (size_ == 0) return;
  data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, in.get(), 0);
  if (data_ == MAP_FAILED) {
    data_ = nullptr;
    fail<IoError>("{}: cannot map: {}", file.string(), errno_text(errno));
  }
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(data_, size_);
}

}  // namespace heed
