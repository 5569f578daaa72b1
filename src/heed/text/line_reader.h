// Lines of a text file, plain, gzip or zstd, or of standard input, one after the other in bounded memory.
//
// The rules, which hold for every text that Heed reads:
//   * Only '\n' ends a line (not '\r', U+0085 or U+2028, which would shift one side of a parallel text). A last line
//     without '\n' counts if it holds a byte.
//   * One '\r' at a line's end is stripped; a byte order mark at the file's start is stripped.
//   * Malformed UTF-8 becomes U+FFFD, one for each maximal malformed part (base/utf8.h); so does NUL. With `strict`
//     either is an error that names file, line and byte.
// All of it is counted. Objects belong to one thread; the free functions are pure.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "heed/base/json.h"
#include "heed/text/byte_source.h"

namespace heed::text {

struct LineOptions {
  bool strict = false;  // what would be replaced is a DataError instead
  // A longer line is a DataError: a few kilobytes of gzip can hold a line that no memory can.
  uint64_t max_line_bytes = uint64_t{1} << 30;
};

struct LineReport {
  uint64_t lines = 0;
  uint64_t empty = 0;         // lines with nothing in them
  uint64_t crlf = 0;          // lines that lost a '\r'
  uint64_t bom = 0;           // byte order marks stripped
  uint64_t nul = 0;           // NUL bytes replaced
  uint64_t invalid_utf8 = 0;  // malformed parts replaced
  uint64_t longest = 0;       // bytes of the longest line, cleaned

  // "29000 lines; 3 empty, 17 ended in CRLF", naming only what occurred.
  std::string text() const;
  Json json() const;
  bool operator==(const LineReport&) const = default;
};

// The line without a '\r' at its end.
std::string_view without_carriage_return(std::string_view line);

// A line, its ends already stripped, with NUL and malformed UTF-8 replaced by U+FFFD.
std::string cleaned(std::string_view line);

// Applies the rules to the lines of one file in turn and counts.
class LineRules {
 public:
  // `name` is what errors call the file.
  explicit LineRules(std::string name, LineOptions options = {});

  // The bytes of a byte order mark at the start of the file's first bytes: 3 or 0. Counted; call once.
  size_t byte_order_mark(std::string_view head);

  // Cleans the next line, given without its '\n'. The result lies in `line` itself if nothing had to be replaced, else
  // in `scratch`.
  std::string_view apply(std::string_view line, std::string& scratch);

  // Throws DataError if a line may not have that many bytes.
  void check_length(uint64_t bytes) const;

  // Where the last line is, for messages: "input.txt:12".
  std::string place() const;

  const LineReport& report() const { return report_; }

 private:
  void count_replaced(std::string_view line);

  std::string name_;
  LineOptions options_;
  LineReport report_;
};

class LineReader {
 public:
  // `path` as in open_bytes: "-" is standard input.
  explicit LineReader(const std::string& path, LineOptions options = {});

  // Replaces `line` by the next line, cleaned; false at the end. Waits for no more than the line. Throws DataError,
  // IoError.
  bool next(std::string& line);

  // Where the last line given out stands, for messages: "input.txt:12".
  std::string place() const { return rules_.place(); }

  // What was seen up to the last line given out.
  const LineReport& report() const { return rules_.report(); }

 private:
  bool fill();

  std::unique_ptr<ByteSource> bytes_;
  LineRules rules_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;
  bool started_ = false;
  std::string raw_, scratch_;
};

}  // namespace heed::text
