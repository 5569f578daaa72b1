// JSON: read by simdjson (fast, strict) into nlohmann's ordered tree, which keeps the order of keys and is also what is
// written. Integers that 64 bits do not hold are read as doubles. Reading refuses duplicate keys, nesting deeper than
// 64 and invalid UTF-8, naming the file.
#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <string_view>

namespace heed {

using Json = nlohmann::ordered_json;

// Parses `text`; `name` is the file (or other source) that error messages name. Throws FormatError.
Json parse_json(std::string_view text, const std::string& name);

// Reads and parses a file. Throws IoError, FormatError.
Json read_json(const std::filesystem::path& file);

// Writes `value` with an indent of 2 and a final newline, atomically (see files.h).
void write_json(const std::filesystem::path& file, const Json& value);

}  // namespace heed
