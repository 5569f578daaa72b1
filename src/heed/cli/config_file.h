// Options files: one flat map from option names to a value or a list of values, in YAML or (ending .json) JSON.
//
// Every value is kept as the text that stands in the file, so that the option's own type decides what it means: `no`
// for a text option stays the text "no". Keys may be written with - or _. Nested maps, several documents and a key
// given twice are errors. Pure functions, thread-safe.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace heed::cli {

struct ConfigEntry {
  std::string key = {};                  // with '-', as the option is named
  std::vector<std::string> values = {};  // one unless is_list; none if is_null
  bool is_list = false;
  bool is_null = false;    // `key:` or null: as if the key were not there
  std::string where = {};  // "run.yaml:3" or "run.json", for messages
};

enum class ConfigFormat { kYaml, kJson };

// Parses `text`; `name` is the file that messages name. Throws ConfigError.
std::vector<ConfigEntry> parse_config(std::string_view text, ConfigFormat format, const std::string& name);

// Reads and parses a file; its ending decides the format. Throws IoError, ConfigError.
std::vector<ConfigEntry> read_config(const std::filesystem::path& file);

// A YAML scalar that reads back as `text`: in double quotes, control characters escaped.
std::string quote_yaml(std::string_view text);

}  // namespace heed::cli
