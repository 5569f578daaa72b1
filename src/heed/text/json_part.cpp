#include "heed/text/json_part.h"

#include <cmath>

#include "heed/text/character_class.h"

namespace heed::text {

void JsonPart::refuse(std::string_view expected) const {
  std::string got =
      value_->is_structured() ? value_->type_name() : value_->dump(-1, ' ', false, Json::error_handler_t::replace);
  if (got.size() > 200) got = got.substr(0, 200) + "...";
  fail<FormatError>("{}: expected {}, got {}", where(), expected, got);
}

bool JsonPart::has(const char* key) const {
  const auto found = object().value_->find(key);
  return found != value_->end() && !found->is_null();
}

JsonPart JsonPart::at(const char* key) const {
  const auto found = object().value_->find(key);
  check<FormatError>(found != value_->end(), "{}: expected the key \"{}\"", where(), key);
  return JsonPart(*found, *name_, path_.empty() ? key : path_ + "." + key);
}

JsonPart JsonPart::item(size_t index) const {
  return JsonPart((*value_)[index], *name_, path_ + "[" + std::to_string(index) + "]");
}

const std::string& JsonPart::string() const {
  if (!value_->is_string()) refuse("a string");
  return value_->get_ref<const std::string&>();
}

bool JsonPart::boolean() const {
  if (!value_->is_boolean()) refuse("true or false");
  return value_->get<bool>();
}

int64_t JsonPart::integer(int64_t lowest, int64_t highest) const {
  const bool fits = value_->is_number_unsigned() ? value_->get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX)
                                                 : value_->is_number_integer();
  if (!fits || value_->get<int64_t>() < lowest || value_->get<int64_t>() > highest)
    refuse("a number of " + std::to_string(lowest) + " to " + std::to_string(highest));
  return value_->get<int64_t>();
}

double JsonPart::number() const {
  if (!value_->is_number() || !std::isfinite(value_->get<double>())) refuse("a number");
  return value_->get<double>();
}

char32_t JsonPart::character() const {
  const std::string& text = string();
  if (text.empty() || utf8_length(text[0]) != text.size()) refuse("one character");
  return utf8_at(text, 0);
}

const JsonPart& JsonPart::array() const {
  if (!value_->is_array()) refuse("an array");
  return *this;
}

const JsonPart& JsonPart::object() const {
  if (!value_->is_object()) refuse("an object");
  return *this;
}

}  // namespace heed::text
