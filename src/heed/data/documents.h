// Text for language models, document by document: text files with one document a file or a line, or JSON lines with the
// text under a key; plain, gzip or zstd.
//
// The rules of line_reader.h hold: CRLF becomes '\n', a byte order mark is dropped, what is not UTF-8 becomes U+FFFD
// (an error in JSON lines). A document that is a file keeps its line ends, also the last one. Documents without a
// character are left out and counted. Memory is that of one document. An object belongs to one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "heed/data/json_lines.h"
#include "heed/text/line_reader.h"

namespace heed::data {

enum class DocumentsPer : uint8_t { kFile, kLine };

struct DocumentOptions {
  DocumentsPer per = DocumentsPer::kFile;  // of text files; those named .jsonl or .json (.gz, .zst) hold one a line
  std::string text_key = "text";           // in JSON lines
  text::LineOptions lines{};               // of text files
  uint64_t most = 0;                       // documents that are read; 0: all
};

class DocumentReader {
 public:
  // Throws UsageError for no files.
  DocumentReader(std::vector<std::filesystem::path> files, DocumentOptions options = {});

  // Replaces `text` by the next document; false behind the last. Throws DataError for a file that is not there or holds
  // no document, and, with the line, for JSON lines without the text.
  bool next(std::string& text);

  // Of the document given out last: "input.txt" or "input.txt:17".
  std::string where() const;

  uint64_t documents() const { return documents_; }  // given out so far
  uint64_t empty() const { return empty_; }          // left out so far
  // Parts of the files read so far that are not UTF-8, or NUL, for which U+FFFD stands.
  uint64_t replaced() const { return replaced_; }

 private:
  bool next_in_file(std::string& text);
  void open_file();
  void note(const text::LineReport& report);

  std::vector<std::filesystem::path> files_;
  DocumentOptions options_;
  size_t file_ = 0;                          // the one being read
  bool is_open_ = false;                     // whether it has been begun
  uint64_t found_ = 0;                       // documents in it
  std::unique_ptr<text::LineReader> lines_;  // one of these two, for documents that are lines
  std::unique_ptr<JsonLines> json_lines_;
  std::string where_;
  uint64_t documents_ = 0, empty_ = 0, replaced_ = 0;
};

// A whole text file by the rules of line_reader.h, its line ends kept as '\n', and what `report` may ask for. Throws
// DataError, IoError.
std::string read_text(const std::string& path, const text::LineOptions& options = {},
                      text::LineReport* report = nullptr);

}  // namespace heed::data
