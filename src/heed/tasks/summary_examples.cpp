#include "heed/tasks/summary_examples.h"

#include <fmt/ranges.h>

#include "heed/base/error.h"
#include "heed/data/tables.h"
#include "heed/text/sentences.h"

namespace heed::tasks {
namespace {

using namespace std::string_view_literals;

size_t column_of(const data::Table& table, const std::string& given, std::initializer_list<std::string_view> usual) {
  return given.empty() ? table.column(usual) : table.column({given});
}

}  // namespace

SummaryExamples read_summary_examples(const std::filesystem::path& file, const SummaryColumns& columns, uint64_t most) {
  const data::Table table = data::Table::read(file, {columns.header, most});
  const size_t document = column_of(table, columns.document,
                                    {"document"sv, "text"sv, "article"sv, "source"sv, "dialogue"sv, "body"sv, "1"sv});
  const size_t summary = column_of(
      table, columns.summary, {"summary"sv, "highlights"sv, "target"sv, "title"sv, "subject"sv, "headline"sv, "2"sv});
  SummaryExamples examples;
  const auto has_text = [](const std::string& text) { return !text::trimmed(text).empty(); };
  for (size_t row = 0; row < table.rows(); ++row) {
    const std::string where = table.where(row);
    examples.documents.push_back(fmt::format("{}", fmt::join(table.list(row, document), " ")));
    examples.summaries.push_back(table.list(row, summary));
    check<DataError>(has_text(examples.documents.back()), "{}: the document has no text", where);
    check<DataError>(!examples.summaries.back().empty() && has_text(examples.summaries.back().front()),
                     "{}: the summary has no text", where);
    examples.places.push_back(where);
  }
  return examples;
}

}  // namespace heed::tasks
