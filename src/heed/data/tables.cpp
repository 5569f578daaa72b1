#include "heed/data/tables.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <set>

#include "heed/base/error.h"
#include "heed/data/json_lines.h"
#include "heed/text/line_reader.h"

namespace heed::data {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> split_at_tabs(std::string_view line) {
  std::vector<std::string> parts;
  for (size_t begin = 0;;) {
    const size_t tab = line.find('\t', begin);
    parts.emplace_back(line.substr(begin, tab - begin));
    if (tab == std::string_view::npos) return parts;
    begin = tab + 1;
  }
}

// Reads records of CSV, which may go over several lines.
class CsvRecords {
 public:
  CsvRecords(text::LineReader& lines, const std::string& file) : lines_(lines), file_(file) {}

  // The next record; false at the end. `line` is where it begins.
  bool next(std::vector<std::string>& fields, uint64_t& line) {
    std::string text;
    if (!lines_.next(text)) return false;
    line = ++line_;
    fields.assign(1, "");
    for (bool quoted = false;;) {
      take_line(text, fields, quoted);
      if (!quoted) return true;
      fields.back() += '\n';
      check<DataError>(lines_.next(text), "{}:{}: a quote is opened here and never closed", file_, line);
      ++line_;
    }
  }

 private:
  // `quoted`: whether the line begins, and then ends, inside quotes.
  void take_line(const std::string& text, std::vector<std::string>& fields, bool& quoted) const {
    bool was_quoted = quoted;  // whether the field at hand had quotes: only a comma may follow them
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (quoted) {
        if (c != '"') fields.back() += c;
        else if (i + 1 < text.size() && text[i + 1] == '"') fields.back() += text[++i];
        else quoted = false;
      } else if (c == ',') {
        fields.emplace_back();
        was_quoted = false;
      } else if (c == '"') {
        check<DataError>(fields.back().empty() && !was_quoted,
                         "{}:{}: a quote in the middle of a field (byte {}); the field must stand in quotes, and its "
                         "own quotes be doubled",
                         file_, line_, i + 1);
        quoted = was_quoted = true;
      } else {
        check<DataError>(!was_quoted, "{}:{}: text behind a closing quote (byte {}), where a comma was expected", file_,
                         line_, i + 1);
        fields.back() += c;
      }
    }
  }

  text::LineReader& lines_;
  const std::string& file_;
  uint64_t line_ = 0;
};

bool is_scalar(const Json& value) { return value.is_string() || value.is_number() || value.is_boolean(); }

bool holds_numbers(const Json& value) {
  return value.is_object() && !value.empty() &&
         std::all_of(value.begin(), value.end(), [](const Json& v) { return v.is_number(); });
}

std::string scalar_text(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

}  // namespace

Table Table::read(const fs::path& file, const TableOptions& options) {
  fs::path name = file;
  if (name.extension() == ".gz" || name.extension() == ".zst") name = name.stem();
  const std::string ending = name.extension().string();
  Table table(file);
  if (ending == ".tsv" || ending == ".txt") table.read_tsv(options);
  else if (ending == ".csv") table.read_csv(options);
  else if (ending == ".jsonl" || ending == ".json") table.read_jsonl(options);
  else fail<UsageError>("{}: the name ends in \"{}\"; .tsv, .csv or .jsonl says how it is read", file.string(), ending);
  check<DataError>(table.rows() > 0, "{}: the file holds no rows", file.string());
  return table;
}

std::string Table::at(uint64_t line) const { return fmt::format("{}:{}", file_.string(), line); }

Table::Cell Table::store(std::string_view text, Kind kind, uint64_t line) {
  check<DataError>(text.size() <= std::numeric_limits<uint32_t>::max(), "{}: a cell of {} bytes", at(line),
                   text.size());
  text_ += text;
  return {text_.size() - text.size(), static_cast<uint32_t>(text.size()), kind};
}

void Table::add_row(uint64_t line, const std::vector<std::string>& texts) {
  check<DataError>(texts.size() == columns_.size(), "{}: {} columns, where the first row has {}", at(line),
                   texts.size(), columns_.size());
  rows_.push_back({line, cells_.size(), static_cast<uint32_t>(texts.size())});
  for (const std::string& text : texts) cells_.push_back(store(text, Kind::kText, line));
}

// `split` gives the next record and its line, false at the end.
template <class Split>
void Table::read_delimited(const TableOptions& options, const Split& split) {
  std::vector<std::string> fields;
  uint64_t line = 0;
  if (!split(fields, line)) return;
  if (options.header) {
    columns_ = fields;
    std::set<std::string_view> names;
    for (const std::string& name : columns_)
      check<DataError>(name.empty() || names.insert(name).second, "{}: two columns have the name \"{}\"", at(line),
                       name);
  } else {
    for (size_t i = 1; i <= fields.size(); ++i) columns_.push_back(std::to_string(i));
    add_row(line, fields);
  }
  while ((options.max_rows == 0 || rows_.size() < options.max_rows) && split(fields, line)) add_row(line, fields);
}

void Table::read_tsv(const TableOptions& options) {
  text::LineReader lines(file_.string(), {.strict = true});
  std::string text;
  read_delimited(options, [&](std::vector<std::string>& fields, uint64_t& line) {
    if (!lines.next(text)) return false;
    fields = split_at_tabs(text);
    line = lines.report().lines;
    return true;
  });
}

void Table::read_csv(const TableOptions& options) {
  text::LineReader lines(file_.string(), {.strict = true});
  const std::string name = file_.string();
  CsvRecords records(lines, name);
  read_delimited(options, [&](std::vector<std::string>& fields, uint64_t& line) { return records.next(fields, line); });
}

void Table::read_jsonl(const TableOptions& options) {
  JsonLines lines(file_.string());
  Json object;
  while ((options.max_rows == 0 || rows_.size() < options.max_rows) && lines.next(object))
    add_object(lines.line(), object);
}

void Table::add_object(uint64_t line, const Json& object) {
  std::vector<Cell> cells(columns_.size());
  for (const auto& [key, value] : object.items()) {
    const auto known = std::find(columns_.begin(), columns_.end(), key);
    const auto column = static_cast<size_t>(known - columns_.begin());
    if (known == columns_.end()) {
      columns_.push_back(key);
      cells.emplace_back();
    }
    const bool list = value.is_array() && std::all_of(value.begin(), value.end(), is_scalar);
    if (is_scalar(value)) cells[column] = store(scalar_text(value), Kind::kText, line);
    else if (list) cells[column] = store(value.dump(), Kind::kList, line);
    else if (holds_numbers(value)) cells[column] = store(value.dump(), Kind::kNumbers, line);
    else if (!value.is_null()) cells[column] = {0, 0, Kind::kObject};
  }
  rows_.push_back({line, cells_.size(), static_cast<uint32_t>(cells.size())});
  cells_.insert(cells_.end(), cells.begin(), cells.end());
}

std::optional<size_t> Table::find(std::initializer_list<std::string_view> names) const {
  for (const std::string_view name : names)
    if (const auto at = std::find(columns_.begin(), columns_.end(), name); at != columns_.end())
      return static_cast<size_t>(at - columns_.begin());
  return std::nullopt;
}

size_t Table::column(std::initializer_list<std::string_view> names) const {
  const auto found = find(names);
  check<DataError>(found.has_value(), "{}: no column is called {}; there are: {}", file_.string(),
                   fmt::join(names, ", "), fmt::join(columns_, ", "));
  return *found;
}

Table::Cell Table::cell_at(size_t row, size_t column) const {
  const Row& r = rows_.at(row);
  return column < r.count ? cells_[r.cells + column] : Cell{};
}

bool Table::has(size_t row, size_t column) const { return cell_at(row, column).kind != Kind::kAbsent; }

bool Table::is_list(size_t row, size_t column) const { return cell_at(row, column).kind == Kind::kList; }

std::string_view Table::cell(size_t row, size_t column) const {
  const Cell c = cell_at(row, column);
  check<DataError>(c.kind != Kind::kAbsent, "{}: there is no \"{}\"", where(row), columns_.at(column));
  check<DataError>(c.kind == Kind::kText, "{}: \"{}\" must be a text or a number", where(row), columns_.at(column));
  return text_of(c);
}

std::vector<std::string> Table::list(size_t row, size_t column) const {
  const Cell c = cell_at(row, column);
  if (c.kind != Kind::kList) return {std::string(cell(row, column))};
  std::vector<std::string> texts;
  for (const Json& value : parse_json(text_of(c), where(row))) texts.push_back(scalar_text(value));
  return texts;
}

std::vector<std::pair<std::string, double>> Table::numbers(size_t row, size_t column) const {
  const Cell c = cell_at(row, column);
  std::vector<std::pair<std::string, double>> numbers;
  if (c.kind != Kind::kNumbers) return numbers;
  const Json object = parse_json(text_of(c), where(row));
  for (const auto& [key, value] : object.items()) numbers.emplace_back(key, value.get<double>());
  return numbers;
}

std::string Table::where(size_t row) const { return at(rows_.at(row).line); }

}  // namespace heed::data
