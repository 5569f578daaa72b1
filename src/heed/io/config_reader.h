// ConfigReader: typed, range-checked reading of a JSON object such as config.json.
//
// Every error is a ConfigError that names the file and the key, what was expected and what stands there. A key that is
// absent and one that is null are the same: "not given", as in Hugging Face's files. Integers must be written as
// integers (512, not 512.0); a real may be written as an integer. Which keys were asked for is recorded, so that a
// family can refuse or report what it does not know. Used by one thread; the Json must outlive the reader.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "heed/base/error.h"
#include "heed/base/json.h"

namespace heed::io {

// Upper bounds for what comes from a file, so that no product of sizes can overflow or exhaust memory unnoticed.
inline constexpr int kMaxLayers = 1024;
inline constexpr int kMaxHeads = 1024;
inline constexpr int kMaxHidden = 1 << 17;     // of any width: model, ffn, head_dim
inline constexpr int kMaxVocab = 1 << 22;      // also of any token id
inline constexpr int kMaxPositions = 1 << 24;  // of a context

template <class T>
concept ConfigNumber =
    std::same_as<T, int> || std::same_as<T, int64_t> || std::same_as<T, float> || std::same_as<T, double>;

class ConfigReader {
 public:
  // `file` is what errors call the object. Throws ConfigError if `config` is no object.
  ConfigReader(const Json& config, std::string file);

  bool has(std::string_view key) const { return find(key) != nullptr; }
  // The value as it stands; nullptr if it is not given. The key counts as read.
  const Json* find(std::string_view key) const;

  // A number in [low, high].
  template <ConfigNumber T>
  std::optional<T> get(std::string_view key, std::type_identity_t<T> low, std::type_identity_t<T> high) const;
  template <ConfigNumber T>
  T require(std::string_view key, std::type_identity_t<T> low, std::type_identity_t<T> high) const {
    return given(get<T>(key, low, high), key, "a number");
  }
  template <ConfigNumber T>
  T get_or(std::string_view key, T fallback, std::type_identity_t<T> low, std::type_identity_t<T> high) const {
    return get<T>(key, low, high).value_or(fallback);
  }

  // true or false.
  std::optional<bool> get_bool(std::string_view key) const;
  template <std::same_as<bool> T>
  T get_or(std::string_view key, T fallback) const {
    return get_bool(key).value_or(fallback);
  }

  std::optional<std::string> get_string(std::string_view key) const;
  std::string require_string(std::string_view key) const { return given(get_string(key), key, "a string"); }
  std::string get_or(std::string_view key, std::string_view fallback) const {
    return get_string(key).value_or(std::string(fallback));
  }

  // One of the named values.
  template <class E>
  using Choices = std::initializer_list<std::pair<std::string_view, E>>;
  template <class E>
  std::optional<E> get_enum(std::string_view key, Choices<E> choices) const;
  template <class E>
  E require_enum(std::string_view key, Choices<E> choices) const {
    return given(get_enum<E>(key, choices), key, "a string");
  }
  template <class E>
  E get_enum_or(std::string_view key, E fallback, Choices<std::type_identity_t<E>> choices) const {
    return get_enum<E>(key, choices).value_or(fallback);
  }

  // Token ids in [0, kMaxVocab): a list, or one alone; empty if not given. And a list of such lists (bad_words_ids).
  std::vector<int> ids(std::string_view key) const;
  std::vector<std::vector<int>> id_lists(std::string_view key) const;
  // A list of strings; empty if not given.
  std::vector<std::string> strings(std::string_view key) const;
  // A nested object, whose keys errors call "key.inner".
  std::optional<ConfigReader> object(std::string_view key) const;

  // For what Heed implements in one way only: the value is `only` or not given.
  void allow_only(std::string_view key, const Json& only) const;

  // The keys that stand in the object and were never asked for, in its order.
  std::vector<std::string> unread() const;

 private:
  ConfigReader(const Json& config, std::string file, std::string prefix);

  [[noreturn]] void refuse(std::string_view key, const std::string& expected, const Json* found) const;
  int64_t integer(std::string_view key, const Json& value, int64_t low, int64_t high) const;
  double real(std::string_view key, const Json& value, double low, double high) const;
  template <class T>
  T given(std::optional<T> value, std::string_view key, const char* expected) const {
    if (!value) refuse(key, expected, nullptr);
    return *std::move(value);
  }

  const Json* config_;
  std::string file_;
  std::string prefix_;  // of keys in errors: "rope_parameters."
  mutable std::set<std::string, std::less<>> read_;
};

template <ConfigNumber T>
std::optional<T> ConfigReader::get(std::string_view key, std::type_identity_t<T> low,
                                   std::type_identity_t<T> high) const {
  const Json* value = find(key);
  if (!value) return std::nullopt;
  if constexpr (std::integral<T>) return static_cast<T>(integer(key, *value, low, high));
  else return static_cast<T>(real(key, *value, low, high));
}

template <class E>
std::optional<E> ConfigReader::get_enum(std::string_view key, Choices<E> choices) const {
  const Json* value = find(key);
  if (!value) return std::nullopt;
  std::string names;
  for (const auto& [name, choice] : choices) {
    if (value->is_string() && value->template get_ref<const std::string&>() == name) return choice;
    names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", name);
  }
  refuse(key, "one of " + names, value);
}

}  // namespace heed::io
