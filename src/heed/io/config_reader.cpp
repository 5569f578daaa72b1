#include "heed/io/config_reader.h"

namespace heed::io {
namespace {

// A value as errors show it.
std::string shown(const Json* value) {
  if (!value) return "nothing";
  if (value->is_object()) return "an object";
  if (value->is_array()) return fmt::format("a list of {}", value->size());
  std::string text = value->dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 60) + "...";
  return text;
}

}  // namespace

ConfigReader::ConfigReader(const Json& config, std::string file) : ConfigReader(config, std::move(file), "") {}

ConfigReader::ConfigReader(const Json& config, std::string file, std::string prefix)
    : config_(&config), file_(std::move(file)), prefix_(std::move(prefix)) {
  check<ConfigError>(config.is_object(), "{}: expected an object, found {}", file_, shown(&config));
}

void ConfigReader::refuse(std::string_view key, const std::string& expected, const Json* found) const {
  fail<ConfigError>("{}: \"{}{}\": expected {}, found {}", file_, prefix_, key, expected, shown(found));
}

const Json* ConfigReader::find(std::string_view key) const {
  read_.emplace(key);
  const auto it = config_->find(key);
  return it == config_->end() || it->is_null() ? nullptr : &*it;
}

int64_t ConfigReader::integer(std::string_view key, const Json& value, int64_t low, int64_t high) const {
  // An unsigned number above the signed range is kept as such by the parser.
  const bool fits = value.is_number_unsigned()
                        ? value.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())
                        : value.is_number_integer();
  if (fits) {
    const auto number = value.get<int64_t>();
    if (number >= low && number <= high) return number;
  }
  refuse(key, fmt::format("an integer from {} to {}", low, high), &value);
}

double ConfigReader::real(std::string_view key, const Json& value, double low, double high) const {
  if (value.is_number()) {
    const auto number = value.get<double>();
    if (number >= low && number <= high) return number;
  }
  refuse(key, fmt::format("a number from {} to {}", low, high), &value);
}

std::optional<bool> ConfigReader::get_bool(std::string_view key) const {
  const Json* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_boolean()) refuse(key, "true or false", value);
  return value->get<bool>();
}

std::optional<std::string> ConfigReader::get_string(std::string_view key) const {
  const Json* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_string()) refuse(key, "a string", value);
  return value->get<std::string>();
}

std::vector<int> ConfigReader::ids(std::string_view key) const {
  const Json* value = find(key);
  if (!value) return {};
  std::vector<int> ids;
  const auto add = [&](const Json& id) { ids.push_back(static_cast<int>(integer(key, id, 0, kMaxVocab - 1))); };
  if (value->is_array())
    for (const Json& id : *value) add(id);
  else if (value->is_number()) add(*value);
  else refuse(key, "a token id or a list of them", value);
  return ids;
}

std::vector<std::vector<int>> ConfigReader::id_lists(std::string_view key) const {
  const Json* value = find(key);
  if (!value) return {};
  if (!value->is_array()) refuse(key, "a list of lists of token ids", value);
  std::vector<std::vector<int>> lists;
  for (const Json& list : *value) {
    if (!list.is_array()) refuse(key, "a list of lists of token ids", &list);
    lists.emplace_back();
    for (const Json& id : list) lists.back().push_back(static_cast<int>(integer(key, id, 0, kMaxVocab - 1)));
  }
  return lists;
}

std::vector<std::string> ConfigReader::strings(std::string_view key) const {
  const Json* value = find(key);
  if (!value) return {};
  if (!value->is_array()) refuse(key, "a list of strings", value);
  std::vector<std::string> strings;
  for (const Json& item : *value) {
    if (!item.is_string()) refuse(key, "a list of strings", &item);
    strings.push_back(item.get<std::string>());
  }
  return strings;
}

std::optional<ConfigReader> ConfigReader::object(std::string_view key) const {
  const Json* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_object()) refuse(key, "an object", value);
  return ConfigReader(*value, file_, fmt::format("{}{}.", prefix_, key));
}

void ConfigReader::allow_only(std::string_view key, const Json& only) const {
  const Json* value = find(key);
  if (value && *value != only) refuse(key, shown(&only) + ", the only value that is supported", value);
}

std::vector<std::string> ConfigReader::unread() const {
  std::vector<std::string> keys;
  for (const auto& [key, value] : config_->items())
    if (!read_.contains(key)) keys.push_back(key);
  return keys;
}

}  // namespace heed::io
