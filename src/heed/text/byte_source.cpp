#include "heed/text/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "heed/base/error.h"

namespace heed::text {
namespace {

constexpr size_t kBufferSize = size_t{1} << 18;
constexpr std::string_view kGzipMagic = "\x1f\x8b";
constexpr std::string_view kZstdMagic = "\x28\xb5\x2f\xfd";
// A zstd file may begin with skippable frames, magic 0x184D2A50 to 0x184D2A5F; pzstd writes such.
constexpr std::string_view kSkippableTail = "\x2a\x4d\x18";

// The file as it lies on the disk, through one buffer; knows its position for error messages.
class Input {
 public:
  explicit Input(const std::string& path) : name_(input_name(path)), buffer_(kBufferSize) {
    if (path == "-") return;
    fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    check<DataError>(fd_ >= 0 || errno != ENOENT, "{}: no such file", path);
    check<DataError>(fd_ >= 0 || errno != EACCES, "{}: no permission to read it", path);
    check<DataError>(fd_ >= 0, "{}: cannot open: {}", path, errno_text(errno));
    struct stat info {};
    if (::fstat(fd_, &info) == 0 && S_ISDIR(info.st_mode)) {
      ::close(fd_);
      fail<DataError>("{}: is a folder, not a text file", path);
    }
  }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  ~Input() {
    if (fd_ > STDIN_FILENO) ::close(fd_);
  }

  std::span<const char> pending() const { return std::span(buffer_).subspan(begin_, end_ - begin_); }

  void consume(size_t count) {
    begin_ += count;
    position_ += count;
  }

  // Reads more behind what is pending; false at the end of the file.
  bool fill() {
    if (begin_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    ssize_t count = 0;
    do count = ::read(fd_, buffer_.data() + end_, buffer_.size() - end_);
    while (count < 0 && errno == EINTR);
    check<IoError>(count >= 0, "{}: cannot read: {}", name_, errno_text(errno));
    end_ += static_cast<size_t>(count);
    return count > 0;
  }

  bool at_end() { return pending().empty() && !fill(); }

  const std::string& name() const { return name_; }
  uint64_t position() const { return position_; }  // bytes consumed so far

 private:
  std::string name_;
  std::vector<char> buffer_;
  int fd_ = STDIN_FILENO;
  size_t begin_ = 0, end_ = 0;
  uint64_t position_ = 0;
};

class PlainSource : public ByteSource {
 public:
  explicit PlainSource(std::unique_ptr<Input> input) : input_(std::move(input)) {}

  size_t read(std::span<char> out) override {
    if (input_->at_end()) return 0;
    const size_t count = std::min(out.size(), input_->pending().size());
    std::memcpy(out.data(), input_->pending().data(), count);
    input_->consume(count);
    return count;
  }

  Compression compression() const override { return Compression::kNone; }

 private:
  std::unique_ptr<Input> input_;
};

class GzipSource : public ByteSource {
 public:
  explicit GzipSource(std::unique_ptr<Input> input) : input_(std::move(input)) {
    // 15 bits of window, + 16: a gzip header and trailer, whose checksum and length zlib then verifies.
    check<MemoryError>(inflateInit2(&stream_, 15 + 16) == Z_OK, "{}: no memory to unpack gzip", input_->name());
  }
  ~GzipSource() override { inflateEnd(&stream_); }

  size_t read(std::span<char> out) override {
    for (;;) {
      if (!in_member_ && !begin_member()) return 0;
      check<DataError>(!input_->at_end(), "{}: truncated gzip: the file ends at byte {}, inside a member",
                       input_->name(), input_->position());
      if (const size_t count = step(out)) return count;
    }
  }

  Compression compression() const override { return Compression::kGzip; }

 private:
  // Between members: starts the next one; false at the end of the file. Zeros there are padding, as gzip has it.
  bool begin_member() {
    if (input_->position() == 0) return in_member_ = true;
    while (!input_->at_end() && input_->pending()[0] == '\0') input_->consume(1);
    if (input_->at_end()) return false;
    check<DataError>(input_->pending()[0] == kGzipMagic[0],
                     "{}: damaged gzip: bytes that are no gzip member follow at byte {}", input_->name(),
                     input_->position());
    inflateReset(&stream_);
    return in_member_ = true;
  }

  size_t step(std::span<char> out) {
    const auto pending = input_->pending();
    // zlib's interface is not const, but it does not write to its input.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(pending.data()));
    stream_.avail_in = static_cast<uInt>(pending.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    const auto room = static_cast<uInt>(std::min(out.size(), kBufferSize));
    stream_.avail_out = room;
    const int status = inflate(&stream_, Z_NO_FLUSH);
    input_->consume(pending.size() - stream_.avail_in);
    check<MemoryError>(status != Z_MEM_ERROR, "{}: no memory to unpack gzip", input_->name());
    check<DataError>(status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR,
                     "{}: damaged gzip at byte {}: {}", input_->name(), input_->position(),
                     stream_.msg ? stream_.msg : "no valid stream");
    if (status == Z_STREAM_END) in_member_ = false;
    return room - stream_.avail_out;
  }

  std::unique_ptr<Input> input_;
  z_stream stream_{};
  bool in_member_ = false;
};

class ZstdSource : public ByteSource {
 public:
  explicit ZstdSource(std::unique_ptr<Input> input) : input_(std::move(input)), stream_(ZSTD_createDStream()) {
    check<MemoryError>(stream_ != nullptr, "{}: no memory to unpack zstd", input_->name());
  }
  ~ZstdSource() override { ZSTD_freeDStream(stream_); }

  size_t read(std::span<char> out) override {
    for (;;) {
      // Only a whole frame may be followed by the end. While output is held back zstd leaves the frame's last byte.
      const bool ended = input_->at_end();
      check<DataError>(!ended || !in_frame_, "{}: truncated zstd: the file ends at byte {}, inside a frame",
                       input_->name(), input_->position());
      if (ended) return 0;
      const auto pending = input_->pending();
      ZSTD_inBuffer in{pending.data(), pending.size(), 0};
      ZSTD_outBuffer unpacked{out.data(), out.size(), 0};
      const size_t status = ZSTD_decompressStream(stream_, &unpacked, &in);
      check<DataError>(!ZSTD_isError(status), "{}: damaged zstd near byte {}: {}", input_->name(),
                       input_->position() + in.pos, ZSTD_getErrorName(status));
      input_->consume(in.pos);
      in_frame_ = status != 0;
      if (unpacked.pos > 0) return unpacked.pos;
    }
  }

  Compression compression() const override { return Compression::kZstd; }

 private:
  std::unique_ptr<Input> input_;
  ZSTD_DStream* stream_;
  bool in_frame_ = false;
};

// True once `head` begins with `magic`; `undecided` becomes true where more bytes could make it so.
bool begins_with(std::string_view head, std::string_view magic, bool& undecided) {
  if (head.size() < magic.size() && magic.starts_with(head)) undecided = true;
  return head.starts_with(magic);
}

Compression compression_of(Input& input) {
  for (bool more = true;;) {
    const std::string_view head(input.pending().data(), input.pending().size());
    bool undecided = head.empty();
    if (begins_with(head, kGzipMagic, undecided)) return Compression::kGzip;
    if (begins_with(head, kZstdMagic, undecided)) return Compression::kZstd;
    if (!head.empty() && (head[0] & 0xF0) == 0x50 && begins_with(head.substr(1), kSkippableTail, undecided))
      return Compression::kZstd;
    // Waits for further bytes only where they matter: a terminal's first line may be shorter than four bytes.
    if (!undecided || !more) return Compression::kNone;
    more = input.fill();
  }
}

}  // namespace

std::string input_name(const std::string& path) { return path == "-" ? "standard input" : path; }

std::unique_ptr<ByteSource> open_bytes(const std::string& path) {
  auto input = std::make_unique<Input>(path);
  switch (compression_of(*input)) {
    case Compression::kGzip: return std::make_unique<GzipSource>(std::move(input));
    case Compression::kZstd: return std::make_unique<ZstdSource>(std::move(input));
    default: return std::make_unique<PlainSource>(std::move(input));
  }
}

std::string read_bytes(const std::string& path) {
  const auto source = open_bytes(path);
  std::string content;
  std::vector<char> buffer(kBufferSize);
  while (const size_t count = source->read(buffer)) content.append(buffer.data(), count);
  return content;
}

void check_ordinary_file(const std::string& path) {
  constexpr auto kPipe = "{}: is a pipe, but the text is read more than once: write it to a file first";
  check<DataError>(path != "-", kPipe, input_name(path));
  struct stat info {};
  const bool found = ::stat(path.c_str(), &info) == 0;
  check<DataError>(found || errno != ENOENT, "{}: no such file", path);
  check<DataError>(found || errno != EACCES, "{}: no permission to read it", path);
  check<DataError>(found, "{}: cannot look at it: {}", path, errno_text(errno));
  check<DataError>(!S_ISDIR(info.st_mode), "{}: is a folder, not a text file", path);
  check<DataError>(!S_ISFIFO(info.st_mode), kPipe, path);
  check<DataError>(S_ISREG(info.st_mode), "{}: is a device or socket, not a text file", path);
  check<DataError>(::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) == 0, "{}: no permission to read it", path);
  check<DataError>(info.st_size > 0, "{}: the file is empty (0 bytes)", path);
}

}  // namespace heed::text
