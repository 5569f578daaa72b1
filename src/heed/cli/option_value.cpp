#include "heed/cli/option_value.h"

#include <charconv>
#include <cmath>
#include <string_view>

namespace heed::cli {
namespace {

template <class T>
T read_number(const std::string& text, const char* expected) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc::result_out_of_range)
    fail<UsageError>("expected {}, got '{}', which is too large", expected, text);
  check<UsageError>(error == std::errc() && stop == end && !text.empty(), "expected {}, got '{}'", expected, text);
  return value;
}

template <class T>
T read_real(const std::string& text) {
  const T value = read_number<T>(text, "a number");
  check<UsageError>(std::isfinite(value), "expected a finite number, got '{}'", text);
  return value;
}

}  // namespace

void read_value(const std::string& text, bool& value) {
  for (const std::string_view yes : {"true", "yes", "on", "1"})
    if (text == yes) return void(value = true);
  for (const std::string_view no : {"false", "no", "off", "0"})
    if (text == no) return void(value = false);
  fail<UsageError>("expected true or false, got '{}'", text);
}

void read_value(const std::string& text, int& value) { value = read_number<int>(text, "a whole number"); }
void read_value(const std::string& text, int64_t& value) { value = read_number<int64_t>(text, "a whole number"); }
void read_value(const std::string& text, uint64_t& value) {
  value = read_number<uint64_t>(text, "a whole number of at least 0");
}
void read_value(const std::string& text, float& value) { value = read_real<float>(text); }
void read_value(const std::string& text, double& value) { value = read_real<double>(text); }
void read_value(const std::string& text, std::string& value) { value = text; }
void read_value(const std::string& text, std::filesystem::path& value) { value = text; }

uint64_t parse_size(const std::string& option, const std::string& text) {
  struct Unit {
    std::string_view name;
    double bytes;
  };
  constexpr Unit kUnits[] = {{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3},
                             {"MB", 1e6},      {"GB", 1e9},      {"B", 1},         {"", 1}};
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.name)) continue;
    const std::string number = text.substr(0, text.size() - unit.name.size());
    size_t read = 0;
    double value = 0;
    try {
      value = std::stod(number, &read);
    } catch (const std::exception&) {
      break;
    }
    if (read != number.size() || !(value * unit.bytes >= 1) || value * unit.bytes > 1e18) break;
    return static_cast<uint64_t>(value * unit.bytes);
  }
  fail<UsageError>("--{} {}: expected a size such as 2GB, 500MB or 1GiB", option, text);
}

std::string write_value(bool value) { return value ? "true" : "false"; }
std::string write_value(int value) { return fmt::format("{}", value); }
std::string write_value(int64_t value) { return fmt::format("{}", value); }
std::string write_value(uint64_t value) { return fmt::format("{}", value); }
std::string write_value(float value) { return fmt::format("{}", value); }  // the shortest text that reads back the same
std::string write_value(double value) { return fmt::format("{}", value); }
std::string write_value(const std::string& value) { return value; }
std::string write_value(const std::filesystem::path& value) { return value.string(); }

}  // namespace heed::cli
