// The lines of a text file that is plain, gzip or zstd (told by its first bytes, not its name), streamed through a
// small buffer. A line ends with "\n" alone; one "\r" before it and a byte order mark at the file's start are removed.
// Several gzip members or zstd frames in a row are one text. Not thread-safe; movable.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace heed::text {

// A file's content, decompressed piece by piece.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Up to `capacity` (> 0) bytes into `to`; 0 at the end. Throws IoError, DataError.
  virtual size_t read(char* to, size_t capacity) = 0;
};

class LineReader {
 public:
  // Of a line longer than `keep` bytes only so many are given, so that memory stays bounded. Throws IoError if the file
  // cannot be opened.
  explicit LineReader(const std::filesystem::path& file, size_t keep = std::string::npos);

  // Reads the next line into `line`; false at the end. Throws IoError, and DataError if the compressed
  // data is damaged or cut short.
  bool next(std::string& line);

  // How many lines next() has given.
  int64_t line_number() const { return line_number_; }

 private:
  bool fill();

  std::unique_ptr<ByteSource> source_;
  size_t keep_;
  std::string buffer_;
  size_t begin_ = 0, end_ = 0;  // what of buffer_ is still to be given
  int64_t line_number_ = 0;
};

}  // namespace heed::text
