#include "heed/text/line_reader.h"

#include <zlib.h>
#include <zstd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "heed/base/error.h"

namespace heed::text {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 16;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

class PlainSource : public ByteSource {
 public:
  PlainSource(File file, std::string name) : file_(std::move(file)), name_(std::move(name)) {}

  size_t read(char* to, size_t capacity) override {
    const size_t n = std::fread(to, 1, capacity, file_.get());
    check<IoError>(n > 0 || !std::ferror(file_.get()), "{}: cannot read: {}", name_, errno_text(errno));
    return n;
  }

 private:
  File file_;
  std::string name_;
};

// The compressed bytes of a file, in chunks, counting them for messages.
class Compressed {
 public:
  Compressed(File file, const std::string& name) : source_(std::move(file), name), chunk_(kBufferBytes) {}

  // The next chunk; empty at the end.
  std::pair<const char*, size_t> next() {
    const size_t n = source_.read(chunk_.data(), chunk_.size());
    offset_ += n;
    return {chunk_.data(), n};
  }
  size_t offset() const { return offset_; }

 private:
  PlainSource source_;
  std::vector<char> chunk_;
  size_t offset_ = 0;
};

class GzipSource : public ByteSource {
 public:
  GzipSource(File file, const std::string& name) : input_(std::move(file), name), name_(name) {
    check<MemoryError>(inflateInit2(&stream_, 15 + 16) == Z_OK, "{}: no memory to decompress", name);
  }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;
  ~GzipSource() override { inflateEnd(&stream_); }

  size_t read(char* to, size_t capacity) override {
    stream_.next_out = reinterpret_cast<Bytef*>(to);
    stream_.avail_out = static_cast<uInt>(capacity);
    while (stream_.avail_out == capacity) {
      if (stream_.avail_in == 0) {
        const auto [chunk, size] = input_.next();
        if (size == 0) {
          check<DataError>(between_members_, "{}: the gzip data is cut short after {} bytes", name_, input_.offset());
          return 0;
        }
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(chunk));
        stream_.avail_in = static_cast<uInt>(size);
      }
      if (between_members_ && started_) inflateReset(&stream_);
      started_ = true;
      const int status = inflate(&stream_, Z_NO_FLUSH);
      between_members_ = status == Z_STREAM_END;
      check<DataError>(status == Z_OK || status == Z_STREAM_END, "{}: the gzip data is damaged near byte {}: {}", name_,
                       input_.offset() - stream_.avail_in, stream_.msg ? stream_.msg : "unexpected end");
    }
    return capacity - stream_.avail_out;
  }

 private:
  Compressed input_;
  std::string name_;
  z_stream stream_{};
  bool started_ = false;
  bool between_members_ = true;
};

class ZstdSource : public ByteSource {
 public:
  ZstdSource(File file, const std::string& name)
      : input_(std::move(file), name), name_(name), stream_(ZSTD_createDStream(), ZSTD_freeDStream) {
    check<MemoryError>(stream_ != nullptr, "{}: no memory to decompress", name);
  }

  size_t read(char* to, size_t capacity) override {
    ZSTD_outBuffer out{to, capacity, 0};
    while (out.pos == 0) {
      if (chunk_.pos == chunk_.size && !more_to_flush_) {
        const auto [chunk, size] = input_.next();
        if (size == 0) {
          check<DataError>(frame_done_, "{}: the zstd data is cut short after {} bytes", name_, input_.offset());
          return 0;
        }
        chunk_ = {chunk, size, 0};
      }
      const size_t hint = ZSTD_decompressStream(stream_.get(), &out, &chunk_);
      check<DataError>(!ZSTD_isError(hint), "{}: the zstd data is damaged near byte {}: {}", name_,
                       input_.offset() - (chunk_.size - chunk_.pos), ZSTD_getErrorName(hint));
      frame_done_ = hint == 0;
      more_to_flush_ = !frame_done_ && out.pos == capacity;
    }
    return out.pos;
  }

 private:
  Compressed input_;
  std::string name_;
  std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream_;
  ZSTD_inBuffer chunk_{nullptr, 0, 0};
  bool frame_done_ = true;
  bool more_to_flush_ = false;  // the decoder may hold output that had no room
};

std::unique_ptr<ByteSource> open_source(const std::filesystem::path& path) {
  const std::string name = path.string();
  check<IoError>(!std::filesystem::is_directory(path), "{}: is a folder, not a file", name);
  File file(std::fopen(path.c_str(), "rbe"));
  check<IoError>(file != nullptr, "{}: cannot open: {}", name, errno_text(errno));
  // Peeking by ungetc would be limited to one byte; the first four are read and put back by seeking, unless the file
  // is a pipe, which is then taken as plain text from its first byte on.
  unsigned char magic[4] = {};
  if (std::fseek(file.get(), 0, SEEK_CUR) == 0) {
    const size_t n = std::fread(magic, 1, sizeof magic, file.get());
    check<IoError>(std::fseek(file.get(), 0, SEEK_SET) == 0, "{}: cannot seek: {}", name, errno_text(errno));
    if (n >= 2 && magic[0] == 0x1F && magic[1] == 0x8B) return std::make_unique<GzipSource>(std::move(file), name);
    if (n == 4 && std::memcmp(magic, "\x28\xB5\x2F\xFD", 4) == 0)
      return std::make_unique<ZstdSource>(std::move(file), name);
  }
  return std::make_unique<PlainSource>(std::move(file), name);
}

}  // namespace

LineReader::LineReader(const std::filesystem::path& file, size_t keep)
    : source_(open_source(file)), keep_(keep), buffer_(kBufferBytes, '\0') {}

bool LineReader::fill() {
  begin_ = 0;
  end_ = source_->read(buffer_.data(), buffer_.size());
  return end_ > 0;
}

bool LineReader::next(std::string& line) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  line.clear();
  bool any = false, cut = false;
  while (begin_ < end_ || fill()) {
    any = true;
    const char* from = buffer_.data() + begin_;
    const auto* newline = static_cast<const char*>(std::memchr(from, '\n', end_ - begin_));
    const size_t length = newline ? static_cast<size_t>(newline - from) : end_ - begin_;
    line.append(from, length);
    begin_ += length + (newline ? 1 : 0);
    if (line_number_ == 0 && !cut && line.starts_with(kByteOrderMark)) line.erase(0, kByteOrderMark.size());
    // One more byte than is given tells a carriage return at the line's end from one within.
    if (keep_ < line.size() && keep_ + 1 < line.size()) {
      line.resize(keep_ + 1);
      cut = true;
    }
    if (newline) break;
  }
  if (!any) return false;
  if (!cut && line.ends_with('\r')) line.pop_back();
  if (line.size() > keep_) line.resize(keep_);
  ++line_number_;
  return true;
}

}  // namespace heed::text
