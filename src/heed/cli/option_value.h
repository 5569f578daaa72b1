// How the value of an option is read from text and written back: the same for a flag, the environment and a file.
//
// Text that was written reads back to the same value, bit for bit. Numbers are decimal without separators; truth
// values are true/false, yes/no, on/off, 1/0. A list is several texts. Reading throws UsageError that says what was
// expected and what came; the caller says where it came from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "heed/base/error.h"

namespace heed::cli {

using Strings = std::vector<std::string>;

void read_value(const std::string& text, bool& value);
void read_value(const std::string& text, int& value);
void read_value(const std::string& text, int64_t& value);
void read_value(const std::string& text, uint64_t& value);
void read_value(const std::string& text, float& value);
void read_value(const std::string& text, double& value);
void read_value(const std::string& text, std::string& value);
void read_value(const std::string& text, std::filesystem::path& value);

// Bytes: "2GB", "500MB", "1GiB", or a number alone. Throws UsageError naming the option.
uint64_t parse_size(const std::string& option, const std::string& text);

std::string write_value(bool value);
std::string write_value(int value);
std::string write_value(int64_t value);
std::string write_value(uint64_t value);
std::string write_value(float value);
std::string write_value(double value);
std::string write_value(const std::string& value);
std::string write_value(const std::filesystem::path& value);

enum class ValueKind { kFlag, kNumber, kText };

// What Options knows of a variable: how to set it and how to write it.
struct Binding {
  ValueKind kind = ValueKind::kText;
  bool is_list = false;
  std::string placeholder = {};                  // what help shows for the value: N, X, TEXT, FILE
  std::function<void(const Strings&)> set = {};  // a list gets all texts, anything else exactly one
  std::function<Strings()> write = {};           // empty: not set (an optional without value, an empty list)
};

namespace detail {

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsList : std::false_type {};
template <class T>
struct IsList<std::vector<T>> : std::true_type {};

template <class T>
Binding describe() {
  if constexpr (std::is_same_v<T, bool>) return {.kind = ValueKind::kFlag};
  else if constexpr (std::is_integral_v<T>) return {.kind = ValueKind::kNumber, .placeholder = "N"};
  else if constexpr (std::is_floating_point_v<T>) return {.kind = ValueKind::kNumber, .placeholder = "X"};
  else if constexpr (std::is_same_v<T, std::filesystem::path>) return {.placeholder = "FILE"};
  else return {.placeholder = "TEXT"};
}

}  // namespace detail

// Binds a variable of one of the types above, an optional of one, or a vector of one. It must outlive the binding.
template <class T>
Binding bind_value(T& target) {
  if constexpr (detail::IsOptional<T>::value) {
    Binding binding = detail::describe<typename T::value_type>();
    binding.set = [&target](const Strings& texts) { read_value(texts.at(0), target.emplace()); };
    binding.write = [&target] { return target ? Strings{write_value(*target)} : Strings{}; };
    return binding;
  } else if constexpr (detail::IsList<T>::value) {
    Binding binding = detail::describe<typename T::value_type>();
    binding.is_list = true;
    binding.set = [&target](const Strings& texts) {
      T values(texts.size());
      for (size_t i = 0; i < texts.size(); ++i) read_value(texts[i], values[i]);
      target = std::move(values);
    };
    binding.write = [&target] {
      Strings texts;
      for (const auto& value : target) texts.push_back(write_value(value));
      return texts;
    };
    return binding;
  } else {
    Binding binding = detail::describe<T>();
    binding.set = [&target](const Strings& texts) { read_value(texts.at(0), target); };
    binding.write = [&target] { return Strings{write_value(target)}; };
    return binding;
  }
}

// Binds a variable to a closed set of named values.
template <class T>
Binding bind_choice(T& target, std::vector<std::pair<std::string, T>> names) {
  Binding binding{.placeholder = "NAME"};
  binding.set = [&target, names](const Strings& texts) {
    for (const auto& [name, value] : names)
      if (name == texts.at(0)) {
        target = value;
        return;
      }
  };
  binding.write = [&target, names] {
    for (const auto& [name, value] : names)
      if (value == target) return Strings{name};
    return Strings{};
  };
  return binding;
}

}  // namespace heed::cli
