#include "heed/data/documents.h"

#include <algorithm>

#include "heed/base/error.h"
#include "heed/text/byte_source.h"

namespace heed::data {
namespace {

bool holds_json_lines(std::filesystem::path file) {
  if (file.extension() == ".gz" || file.extension() == ".zst") file = file.stem();
  return file.extension() == ".jsonl" || file.extension() == ".json";
}

}  // namespace

DocumentReader::DocumentReader(std::vector<std::filesystem::path> files, DocumentOptions options)
    : files_(std::move(files)), options_(std::move(options)) {
  check<UsageError>(!files_.empty(), "no files to read documents from");
}

bool DocumentReader::next(std::string& text) {
  while (file_ < files_.size() && (options_.most == 0 || documents_ < options_.most)) {
    if (!is_open_) open_file();
    while (next_in_file(text)) {
      if (text.empty()) {
        ++empty_;
        continue;
      }
      ++found_;
      ++documents_;
      return true;
    }
    check<DataError>(found_ > 0, "{}: holds no text", files_[file_].string());
    if (lines_) note(lines_->report());
    is_open_ = false;
    ++file_;
  }
  return false;
}

void DocumentReader::open_file() {
  const std::string path = files_[file_].string();
  is_open_ = true;
  found_ = 0;
  lines_.reset();
  json_lines_.reset();
  if (holds_json_lines(path)) json_lines_ = std::make_unique<JsonLines>(path);
  else if (options_.per == DocumentsPer::kLine) lines_ = std::make_unique<text::LineReader>(path, options_.lines);
  where_.clear();
}

bool DocumentReader::next_in_file(std::string& text) {
  const std::string path = files_[file_].string();
  if (json_lines_) {
    Json object;
    if (!json_lines_->next(object)) return false;
    where_ = json_lines_->where();
    text = text_at(object, options_.text_key, where_);
    return true;
  }
  if (lines_) {
    if (!lines_->next(text)) return false;
    where_ = lines_->place();
    return true;
  }
  if (!where_.empty()) return false;  // the one document has been given out
  where_ = path;
  text::LineReport report;
  text = read_text(path, options_.lines, &report);
  note(report);
  return true;
}

void DocumentReader::note(const text::LineReport& report) { replaced_ += report.invalid_utf8 + report.nul; }

std::string DocumentReader::where() const { return where_; }

std::string read_text(const std::string& path, const text::LineOptions& options, text::LineReport* report) {
  const std::string bytes = text::read_bytes(path);
  text::LineRules rules(path, options);
  std::string text, scratch;
  text.reserve(bytes.size());
  size_t begin = rules.byte_order_mark(bytes);
  while (begin < bytes.size()) {
    const size_t end = std::min(bytes.find('\n', begin), bytes.size());
    text += rules.apply(std::string_view(bytes).substr(begin, end - begin), scratch);
    if (end < bytes.size()) text += '\n';
    begin = end + 1;
  }
  if (report) *report = rules.report();
  return text;
}

}  // namespace heed::data
