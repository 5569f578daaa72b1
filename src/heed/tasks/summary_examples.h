// Documents with their summaries, from TSV, CSV or JSON-lines files.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace heed::tasks {

// Which columns hold what: names, or numbers from 1 where the file has no header. Empty: the first that there is of the
// usual names (document, text, article, source, …; summary, highlights, target, title, …).
struct SummaryColumns {
  std::string document, summary;
  bool header = true;
};

struct SummaryExamples {
  std::vector<std::string> documents;
  std::vector<std::vector<std::string>> summaries;  // of each; several where the file has a list
  std::vector<std::string> places;                  // "train.jsonl:17"

  size_t size() const { return documents.size(); }
};

// At most `most` examples; 0: all. A list of sentences under the document's column is joined by spaces. Throws IoError,
// DataError naming file and line, also for a document or a summary without text.
SummaryExamples read_summary_examples(const std::filesystem::path& file, const SummaryColumns& columns, uint64_t most);

}  // namespace heed::tasks
