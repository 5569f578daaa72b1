// Rows of a TSV, CSV or JSONL file, plain, gzip or zstd, in memory.
//
//   TSV    one row a line, columns between tabs, no quotes
//   CSV    RFC 4180: columns between commas, "…" around what holds commas, quotes (doubled) or line ends
//   JSONL  one object a line; its keys are the columns, and a row need not have all of them
//
// The first row of TSV and CSV names the columns unless there is no header; then they are called 1, 2, 3, … Every row
// of TSV and CSV must have as many columns as the first. Immutable once read, hence thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "heed/base/json.h"

namespace heed::data {

struct TableOptions {
  bool header = true;     // of TSV and CSV
  uint64_t max_rows = 0;  // read so many; 0: all
};

class Table {
 public:
  // The name's ending says the format: .tsv, .csv, .jsonl or .json (and .gz or .zst behind it); .txt is TSV. Throws
  // UsageError for another ending; IoError; DataError naming file and line for a row with another number of columns,
  // two columns of one name, a quote that is not closed, broken JSON, malformed UTF-8, and for a file without rows.
  static Table read(const std::filesystem::path& file, const TableOptions& options = {});

  size_t rows() const { return rows_.size(); }
  const std::vector<std::string>& columns() const { return columns_; }

  // The first of these columns that there is.
  std::optional<size_t> find(std::initializer_list<std::string_view> names) const;
  // DataError naming the file, what was looked for and what there is.
  size_t column(std::initializer_list<std::string_view> names) const;

  // The text of a cell; of a JSON number or truth value as it is written. DataError naming the place if the row lacks
  // the key or holds a list or an object there.
  std::string_view cell(size_t row, size_t column) const;
  bool has(size_t row, size_t column) const;
  // The texts of a JSON list of scalars; of any other cell its one text.
  std::vector<std::string> list(size_t row, size_t column) const;
  bool is_list(size_t row, size_t column) const;
  // Keys and numbers of a JSON object that holds nothing else; of any other cell none.
  std::vector<std::pair<std::string, double>> numbers(size_t row, size_t column) const;

  // Where the row begins: 17, from 1, and "train.tsv:17".
  uint64_t line(size_t row) const { return rows_.at(row).line; }
  std::string where(size_t row) const;

 private:
  enum class Kind : uint8_t { kAbsent, kText, kList, kNumbers, kObject };
  struct Cell {
    uint64_t begin = 0;
    uint32_t size = 0;
    Kind kind = Kind::kAbsent;
  };
  struct Row {
    uint64_t line = 0;
    uint64_t cells = 0;  // place of its first one
    uint32_t count = 0;
  };

  explicit Table(std::filesystem::path file) : file_(std::move(file)) {}
  template <class Split>
  void read_delimited(const TableOptions& options, const Split& split);
  void read_tsv(const TableOptions& options);
  void read_csv(const TableOptions& options);
  void read_jsonl(const TableOptions& options);
  void add_row(uint64_t line, const std::vector<std::string>& texts);
  void add_object(uint64_t line, const Json& object);
  Cell store(std::string_view text, Kind kind, uint64_t line);
  Cell cell_at(size_t row, size_t column) const;
  std::string_view text_of(const Cell& cell) const { return std::string_view(text_).substr(cell.begin, cell.size); }
  std::string at(uint64_t line) const;

  std::filesystem::path file_;
  std::vector<std::string> columns_;
  std::string text_;  // of all cells
  std::vector<Cell> cells_;
  std::vector<Row> rows_;
};

}  // namespace heed::data
