// TokenStream: the tokens of a text, one document behind the other, in 2 bytes each (4 where the vocabulary needs
// them); in memory, or a mapped file that lasts.
//
//   [ids, little-endian] [about: JSON] [u64: bytes of that JSON] ["heedtok1"]
//
// The JSON has "width" (2 or 4), "tokens", "documents", "bytes", and under "of" whatever the writer says of the text,
// so that a reader can tell whether the file is still what it wants. A file is put in place whole or not at all.
// A stream is immutable and thread-safe; its copies share the tokens. Writers belong to one thread.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "heed/base/files.h"
#include "heed/base/json.h"
#include "heed/io/output_file.h"

namespace heed::data {

// What a stream was made of.
struct TextCounts {
  uint64_t documents = 0;
  uint64_t bytes = 0;  // of the text in UTF-8
  bool operator==(const TextCounts&) const = default;
};

class TokenStream {
 public:
  TokenStream() = default;  // no tokens
  // Of a file that TokenWriter wrote. Throws IoError, FormatError.
  static TokenStream open(const std::filesystem::path& file);

  uint64_t size() const { return size_; }
  const TextCounts& counts() const { return counts_; }
  // What the writer said of the text; null in memory.
  const Json& of() const { return of_; }

  // Appends the tokens [begin, end) to `to`. end <= size().
  void append_to(std::vector<int32_t>& to, uint64_t begin, uint64_t end) const;

 private:
  friend class TokenWriter;

  std::shared_ptr<const MappedFile> file_;
  std::shared_ptr<const std::vector<std::byte>> memory_;
  const std::byte* ids_ = nullptr;
  uint64_t size_ = 0;
  int width_ = 2;
  TextCounts counts_;
  Json of_;
};

class TokenWriter {
 public:
  // Ids lie in [0, vocab_size).
  explicit TokenWriter(int32_t vocab_size);
  // Into a file, which is put in place by finish().
  TokenWriter(int32_t vocab_size, const std::filesystem::path& file);

  // Throws DataError for an id outside the vocabulary, IoError.
  void append(std::span<const int32_t> ids);
  uint64_t size() const { return size_; }
  // Ends the writing. `of`: see TokenStream::of().
  TokenStream finish(const TextCounts& counts, Json of = nullptr);

 private:
  int32_t vocab_size_;
  int width_;
  std::filesystem::path path_;
  std::optional<io::OutputFile> file_;
  std::vector<std::byte> memory_;  // all ids, or those on their way into the file
  uint64_t size_ = 0;
};

}  // namespace heed::data
