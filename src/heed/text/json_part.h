// A part of a JSON document that knows its path in it, so that every complaint names file and path:
// "tokenizer.json: normalizer.normalizers[2].pattern: expected …".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "heed/base/error.h"
#include "heed/base/json.h"

namespace heed::text {

class JsonPart {
 public:
  // `name` is the document's. Both are referred to.
  JsonPart(const Json& value, const std::string& name) : value_(&value), name_(&name) {}

  const Json& value() const { return *value_; }
  // "NAME: PATH", for messages.
  std::string where() const { return path_.empty() ? *name_ : *name_ + ": " + path_; }

  bool is_null() const { return value_->is_null(); }
  // Whether the key is there and not null. Throws FormatError if this is no object.
  bool has(const char* key) const;
  // The part by key or index. Throws FormatError if it is not there.
  JsonPart at(const char* key) const;
  JsonPart item(size_t index) const;
  size_t size() const { return value_->size(); }

  // All of these throw FormatError for anything else than what they name.
  const std::string& string() const;
  bool boolean() const;
  int64_t integer(int64_t lowest, int64_t highest) const;
  double number() const;
  char32_t character() const;  // a string of one character
  const JsonPart& array() const;
  const JsonPart& object() const;

  const std::string& string(const char* key) const { return at(key).string(); }
  bool boolean(const char* key, bool otherwise) const { return has(key) ? at(key).boolean() : otherwise; }

  // For components: the value of "type".
  const std::string& type() const { return at("type").string(); }

  // Throws FormatError: "expected EXPECTED, got …".
  [[noreturn]] void refuse(std::string_view expected) const;

 private:
  JsonPart(const Json& value, const std::string& name, std::string path)
      : value_(&value), name_(&name), path_(std::move(path)) {}

  const Json* value_;
  const std::string* name_;
  std::string path_;
};

}  // namespace heed::text
