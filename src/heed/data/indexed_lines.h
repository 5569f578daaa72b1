// Random access to the lines of a text file of any size: the text stays on the disk, mapped, and an index holds where
// each line begins, 4 bytes a line.
//
// A plain file is mapped where it lies; it must not be changed meanwhile. A compressed one is unpacked once into a
// nameless file, which vanishes with the object or the process. The rules of line_reader.h hold. Thread-safe once
// built.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "heed/base/files.h"
#include "heed/text/byte_source.h"
#include "heed/text/line_reader.h"

namespace heed::data {

// Ascending 64-bit offsets in 4 bytes each: the low words, and the places where the high word grows.
class OffsetIndex {
 public:
  // `offset` is at least the last one.
  void append(uint64_t offset);

  uint64_t operator[](uint64_t i) const;
  uint64_t size() const { return low_.size(); }

 private:
  std::deque<uint32_t> low_;     // a deque, for a vector copies itself whole when it grows
  std::vector<uint64_t> wraps_;  // element h: the first index whose high word is above h
};

// Where files that are unpacked go: $TMPDIR, else /var/tmp (made for large files; /tmp may lie in memory), else /tmp.
std::filesystem::path default_scratch_folder();

class IndexedLines {
 public:
  // Called with each line as it is indexed, from 0, its ends stripped but not otherwise cleaned.
  using Visit = std::function<void(uint64_t line, std::string_view text)>;

  // Reads the whole file once. Throws DataError as check_ordinary_file, ByteSource and LineRules do, and for a file
  // that unpacks to nothing; IoError if the unpacked text cannot be written to `scratch`.
  IndexedLines(const std::string& path, text::LineOptions options, const std::filesystem::path& scratch,
               const Visit& visit = {});

  uint64_t size() const { return starts_.size() - 1; }

  // Line i < size() with its ends stripped, as it lies in the file.
  std::string_view raw(uint64_t i) const;

  // Line i < size(), cleaned.
  std::string line(uint64_t i) const { return text::cleaned(raw(i)); }

  const std::string& path() const { return path_; }
  text::Compression compression() const { return compression_; }
  const text::LineReport& report() const { return report_; }

 private:
  void index(text::LineRules& rules, const Visit& visit);

  std::string path_;
  text::Compression compression_ = text::Compression::kNone;
  MappedFile text_;
  OffsetIndex starts_;  // of each line, and one past the last line's '\n' (which may be missing)
  text::LineReport report_;
};

}  // namespace heed::data
