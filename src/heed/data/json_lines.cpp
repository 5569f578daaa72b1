#include "heed/data/json_lines.h"

#include "heed/base/error.h"

namespace heed::data {
namespace {

const Json& value_at(const Json& object, std::string_view key, const std::string& where) {
  const auto found = object.find(key);
  check<DataError>(found != object.end(), "{}: the key \"{}\" is missing", where, key);
  return *found;
}

}  // namespace

bool JsonLines::next(Json& object) {
  do
    if (!reader_.next(text_)) return false;
  while (text_.find_first_not_of(" \t") == std::string::npos);
  object = parse_json_data(text_, where());
  check<DataError>(object.is_object(), "{}: a JSON object is expected, one a line; got {}", where(), kind_of(object));
  return true;
}

std::string_view kind_of(const Json& value) {
  if (value.is_string()) return "a string";
  if (value.is_number()) return "a number";
  if (value.is_boolean()) return "true or false";
  if (value.is_array()) return "a list";
  return value.is_object() ? "an object" : "null";
}

std::string text_at(const Json& object, std::string_view key, const std::string& where) {
  const Json& value = value_at(object, key, where);
  check<DataError>(value.is_string(), "{}: \"{}\": expected a string, got {}", where, key, kind_of(value));
  return value.get<std::string>();
}

std::vector<std::string> texts_at(const Json& object, std::string_view key, const std::string& where) {
  const Json& value = value_at(object, key, where);
  check<DataError>(value.is_array(), "{}: \"{}\": expected a list of strings, got {}", where, key, kind_of(value));
  std::vector<std::string> texts;
  for (const Json& item : value) {
    check<DataError>(item.is_string(), "{}: \"{}\": expected a list of strings, but item {} is {}", where, key,
                     texts.size() + 1, kind_of(item));
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

Json parse_json_data(std::string_view text, const std::string& where) {
  try {
    return parse_json(text, where);
  } catch (const FormatError& error) {
    throw DataError(error.what());
  }
}

}  // namespace heed::data
