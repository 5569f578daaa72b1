#include "heed/cli/config_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>

#include "heed/base/error.h"
#include "heed/base/files.h"
#include "heed/base/json.h"
#include "heed/base/utf8.h"

namespace heed::cli {
namespace {

std::string place(const std::string& name, const YAML::Mark& mark) {
  return mark.is_null() ? name : fmt::format("{}:{}", name, mark.line + 1);
}

std::string yaml_scalar(const YAML::Node& node, const std::string& key, const std::string& where) {
  check<ConfigError>(node.IsScalar(), "{}: {}: expected a value or a list of values", where, key);
  return node.Scalar();
}

ConfigEntry yaml_entry(const YAML::Node& key, const YAML::Node& value, const std::string& name) {
  ConfigEntry entry{.where = place(name, key.Mark())};
  entry.key = key.IsNull() ? "null" : yaml_scalar(key, "(key)", entry.where);  // an option has that name
  entry.is_null = value.IsNull();
  entry.is_list = value.IsSequence();
  if (entry.is_list)
    for (const auto& item : value) entry.values.push_back(yaml_scalar(item, entry.key, entry.where));
  else if (!entry.is_null) entry.values.push_back(yaml_scalar(value, entry.key, entry.where));
  return entry;
}

std::vector<ConfigEntry> parse_yaml(std::string_view text, const std::string& name) {
  std::vector<ConfigEntry> entries;
  try {
    // The mark of the document's end is an error within a quoted text; without it yaml-cpp takes a quote that is never
    // closed for a text that goes on to the end of the file.
    const std::vector<YAML::Node> documents = YAML::LoadAll(fmt::format("{}\n...\n", text));
    check<ConfigError>(documents.size() <= 1, "{}: expected one YAML document, got {}", name, documents.size());
    if (documents.empty() || documents[0].IsNull()) return entries;
    check<ConfigError>(documents[0].IsMap(), "{}: expected a map from option names to values", name);
    for (const auto& pair : documents[0]) entries.push_back(yaml_entry(pair.first, pair.second, name));
  } catch (const YAML::Exception& error) {
    fail<ConfigError>("{}: not valid YAML: {}", place(name, error.mark), error.msg);
  }
  return entries;
}

std::string json_scalar(const Json& value, const std::string& key, const std::string& name) {
  check<ConfigError>(value.is_primitive() && !value.is_null(), "{}: {}: expected a value or a list of values", name,
                     key);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::vector<ConfigEntry> parse_json_config(std::string_view text, const std::string& name) {
  std::vector<ConfigEntry> entries;
  Json root;
  try {
    root = parse_json(text, name);
  } catch (const FormatError& error) {
    throw ConfigError(error.what());
  }
  check<ConfigError>(root.is_object(), "{}: expected an object from option names to values", name);
  for (const auto& [key, value] : root.items()) {
    ConfigEntry entry{.key = key, .is_list = value.is_array(), .is_null = value.is_null(), .where = name};
    if (entry.is_list)
      for (const Json& item : value) entry.values.push_back(json_scalar(item, key, name));
    else if (!entry.is_null) entry.values.push_back(json_scalar(value, key, name));
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace

std::vector<ConfigEntry> parse_config(std::string_view text, ConfigFormat format, const std::string& name) {
  check<ConfigError>(is_valid_utf8(text), "{}: not valid UTF-8", name);
  std::vector<ConfigEntry> entries =
      format == ConfigFormat::kJson ? parse_json_config(text, name) : parse_yaml(text, name);
  std::set<std::string> seen;
  for (ConfigEntry& entry : entries) {
    std::replace(entry.key.begin(), entry.key.end(), '_', '-');
    check<ConfigError>(seen.insert(entry.key).second, "{}: {} is given twice", entry.where, entry.key);
  }
  return entries;
}

std::vector<ConfigEntry> read_config(const std::filesystem::path& file) {
  const ConfigFormat format = file.extension() == ".json" ? ConfigFormat::kJson : ConfigFormat::kYaml;
  return parse_config(read_file(file), format, file.string());
}

std::string quote_yaml(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out += '\\', out += c;
    else if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else if (byte < 0x20 || byte == 0x7F) out += fmt::format("\\x{:02X}", byte);
    else out += c;
  }
  return out + '"';
}

}  // namespace heed::cli
