// JSON-lines files, plain, gzip or zstd: one object a line, each with its place for messages. Blank lines are passed
// over. Memory is that of one line. An object belongs to one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "heed/base/json.h"
#include "heed/text/line_reader.h"

namespace heed::data {

class JsonLines {
 public:
  explicit JsonLines(const std::string& path) : reader_(path, {.strict = true}) {}

  // The next line's object; false at the end. Throws DataError with file and line for what is not JSON, not an object
  // or not UTF-8.
  bool next(Json& object);

  // "train.jsonl:17": the line given out last, from 1.
  std::string where() const { return reader_.place(); }
  uint64_t line() const { return reader_.report().lines; }

 private:
  text::LineReader reader_;
  std::string text_;
};

// What a JSON value is, for messages: "a string", "a list", "null".
std::string_view kind_of(const Json& value);

// The text and the list of strings under `key`. Throw DataError naming `where` if the key is missing or its value is
// something else.
std::string text_at(const Json& object, std::string_view key, const std::string& where);
std::vector<std::string> texts_at(const Json& object, std::string_view key, const std::string& where);

// parse_json for data: what is malformed is a DataError.
Json parse_json_data(std::string_view text, const std::string& where);

}  // namespace heed::data
