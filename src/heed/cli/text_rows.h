// What the commands that answer line by line share: lines read in windows, results written in order, errors that name
// file and line.
#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "heed/base/error.h"
#include "heed/base/json.h"
#include "heed/cli/command.h"
#include "heed/text/line_reader.h"
#include "heed/text/tokenizer.h"

namespace heed::cli {

class TextRows {
 public:
  // Declares --input, --window, --batch-size, --device, --threads, --dtype and --json.
  explicit TextRows(Command& command) : command_(command) {
    command.options().add("input", input_, "File to read, plain, gzip or zstd; - is standard input");
    command.options().add("window", window_, "Lines read ahead to be sorted by length").range(1, 1 << 20);
    command.options().add("batch-size", batch_size_, "Texts computed together").range(1, 4096);
    command.use_model();
    command.use_json();
  }

  size_t batch_size() const { return batch_size_; }
  const std::string& input() const { return input_; }

  // `prepare` makes an item of a line, `process` the results of many items, `write` puts out one of them. What
  // `prepare` throws as DataError gets the line's place in front.
  template <class Prepare, class Process, class Write>
  void run(const Prepare& prepare, const Process& process, const Write& write) {
    using Item = decltype(prepare(std::string()));
    const auto begin = std::chrono::steady_clock::now();
    text::LineReader reader(input_);
    Progress progress = command_.progress();
    // Who types lines at a terminal waits for each answer.
    const size_t window = input_ == "-" && command_.input_is_terminal() ? 1 : window_;
    uint64_t lines = 0;
    const auto seconds = [&] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    for (bool more = true; more;) {
      std::vector<Item> items;
      std::string line;
      for (; items.size() < window && (more = reader.next(line)); ++lines)
        items.push_back(prepared(prepare, line, reader));
      auto results = process(items);
      for (size_t i = 0; i < items.size(); ++i) write(items[i], results[i]);
      progress.update([&] {
        return fmt::format("{} lines  {}", lines, format_rate(static_cast<double>(lines) / seconds(), "lines"));
      });
    }
    command_.output().flush();
    progress.finish(fmt::format("{} lines in {}, {}", lines, format_duration(seconds()),
                                format_rate(static_cast<double>(lines) / seconds(), "lines")));
  }

 private:
  template <class Prepare>
  static auto prepared(const Prepare& prepare, const std::string& line, const text::LineReader& reader) {
    try {
      return prepare(line);
    } catch (const DataError& e) {
      fail<DataError>("{}: {}", reader.place(), e.what());
    }
  }

  Command& command_;
  std::string input_ = "-";
  size_t window_ = 1024, batch_size_ = 32;
};

// A line of JSON; what is no UTF-8 becomes U+FFFD.
inline std::string json_line(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// The two columns of "first<TAB>second". DataError for another number of columns.
inline std::pair<std::string, std::string> two_columns(const std::string& line) {
  const size_t tab = line.find('\t');
  check<DataError>(tab != std::string::npos && line.find('\t', tab + 1) == std::string::npos,
                   "expected two columns with a tab between them, got {}",
                   std::count(line.begin(), line.end(), '\t') + 1);
  return {line.substr(0, tab), line.substr(tab + 1)};
}

}  // namespace heed::cli
