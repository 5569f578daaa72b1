#include "heed/data/parallel_corpus.h"

#include <algorithm>

#include "heed/base/error.h"

namespace heed::data {

ParallelCorpus ParallelCorpus::from_files(const std::string& source, const std::string& target,
                                          const CorpusOptions& options) {
  text::check_ordinary_file(source);
  text::check_ordinary_file(target);
  std::error_code unknown;
  check<DataError>(!std::filesystem::equivalent(source, target, unknown), "{}: is both the source and the target",
                   source);
  std::vector<IndexedLines> files;
  files.emplace_back(source, options.lines, options.scratch);
  files.emplace_back(target, options.lines, options.scratch);
  const uint64_t lines[] = {files[0].size(), files[1].size()};
  check<DataError>(lines[0] == lines[1],
                   "{} has {} lines but {} has {}: they must be translations line by line; the first line without a "
                   "partner is {}:{}",
                   source, lines[0], target, lines[1], lines[0] > lines[1] ? source : target,
                   std::min(lines[0], lines[1]) + 1);
  return ParallelCorpus(std::move(files));
}

ParallelCorpus ParallelCorpus::from_tsv(const std::string& file, const CorpusOptions& options) {
  std::vector<IndexedLines> files;
  files.emplace_back(file, options.lines, options.scratch, [&](uint64_t line, std::string_view text) {
    const auto columns = std::count(text.begin(), text.end(), '\t') + 1;
    check<DataError>(columns == 2, "{}:{}: has {} columns, expected 2: source<TAB>target", file, line + 1, columns);
  });
  return ParallelCorpus(std::move(files));
}

TextPair ParallelCorpus::pair(uint64_t i) const {
  if (files_.size() == 2) return {files_[0].line(i), files_[1].line(i)};
  const std::string_view line = files_[0].raw(i);
  const size_t tab = line.find('\t');
  return {text::cleaned(line.substr(0, tab)), text::cleaned(line.substr(tab + 1))};
}

}  // namespace heed::data
