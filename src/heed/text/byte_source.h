// Bytes of a file or of standard input, unpacked on the way if they are gzip (RFC 1952, any number of members) or zstd
// (RFC 8878, any number of frames). The first bytes decide, never the name.
//
// A compressed stream that ends early or is damaged is a DataError with the byte at which it broke, so a text is never
// silently short. Memory is bounded whatever the file holds. An object belongs to one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace heed::text {

// What messages call the input of that path: itself, or "standard input" for "-".
std::string input_name(const std::string& path);

enum class Compression { kNone, kGzip, kZstd };

class ByteSource {
 public:
  virtual ~ByteSource() = default;

  // Fills the front of `out` (not empty) with what is there, at least one byte, and returns how many; 0 at the end.
  // Waits no longer than for the first byte, so lines typed in at a terminal come one by one. Throws DataError on a
  // damaged stream, IoError where the system fails.
  virtual size_t read(std::span<char> out) = 0;

  virtual Compression compression() const = 0;
};

// Opens the file, or standard input for "-". Throws DataError, one message each, for a missing file, a folder and
// missing rights. A pipe is fine, and so are 0 bytes.
std::unique_ptr<ByteSource> open_bytes(const std::string& path);

// All bytes of the file, unpacked. Memory is twice that of what it holds. Throws as open_bytes and read do.
std::string read_bytes(const std::string& path);

// Throws DataError, one message each, unless `path` is something that can be read more than once and holds something:
// missing, a folder, a pipe, a device, missing rights, 0 bytes. Does not block on a pipe.
void check_ordinary_file(const std::string& path);

}  // namespace heed::text
