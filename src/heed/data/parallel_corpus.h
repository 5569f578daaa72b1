// Parallel text: pairs of a source line and its translation, from two files of one line per sentence or from one file
// of source<TAB>target, each plain, gzip or zstd and of any size (see indexed_lines.h).
//
// What would shift one side against the other (unequal numbers of lines, a line with the wrong number of columns) is an
// error before anything is trained. Thread-safe; movable.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "heed/data/indexed_lines.h"
#include "heed/text/line_reader.h"

namespace heed::data {

struct TextPair {
  std::string source, target;
  bool operator==(const TextPair&) const = default;
};

struct CorpusOptions {
  text::LineOptions lines{};
  std::filesystem::path scratch = default_scratch_folder();  // for unpacked text
};

class ParallelCorpus {
 public:
  // Two files. Throws DataError if they are the same file or differ in their number of lines (both are named), and what
  // IndexedLines throws.
  static ParallelCorpus from_files(const std::string& source, const std::string& target,
                                   const CorpusOptions& options = {});

  // One file; each line must have exactly two columns. Throws DataError with file and line, and what IndexedLines
  // throws.
  static ParallelCorpus from_tsv(const std::string& file, const CorpusOptions& options = {});

  uint64_t size() const { return files_[0].size(); }

  // Pair i < size(), both sides cleaned.
  TextPair pair(uint64_t i) const;

  // Source and target, or the one TSV file: path, compression, report of its lines.
  const std::vector<IndexedLines>& files() const { return files_; }

 private:
  explicit ParallelCorpus(std::vector<IndexedLines> files) : files_(std::move(files)) {}

  std::vector<IndexedLines> files_;  // one (TSV) or two
};

}  // namespace heed::data
