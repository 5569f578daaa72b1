#include "heed/cli/progress.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace heed::cli {
namespace {

// `value` with three significant digits and no exponent, for 1 <= |value| < 1000.
std::string three_digits(double value) {
  const double magnitude = std::abs(value);
  if (magnitude < 9.995) return fmt::format("{:.2f}", value);
  return magnitude < 99.95 ? fmt::format("{:.1f}", value) : fmt::format("{:.0f}", value);
}

}  // namespace

Progress::Progress(Console& console, bool quiet, std::chrono::milliseconds interval, Clock clock)
    : console_(console), quiet_(quiet), interval_(interval), clock_(std::move(clock)), next_(clock_()) {}

Progress::~Progress() { console_.live(""); }

void Progress::update(const std::function<std::string()>& fields) {
  if (quiet_) return;
  const auto now = clock_();
  if (now < next_) return;
  if (console_.is_live()) {
    console_.live(fields());
    next_ = now + kLiveInterval;
  } else {
    console_.line(fields());
    next_ = now + interval_;
  }
}

void Progress::line(const std::string& text) {
  if (!quiet_) console_.line(text);
}

void Progress::finish(const std::string& text) {
  console_.live("");
  line(text);
}

std::string format_duration(double seconds) {
  constexpr int64_t kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour;
  constexpr double kLongest = 1e9 * kDay;  // no one waits longer, and the number fits
  if (!(seconds >= 0 && seconds < kLongest)) return "?";
  if (seconds < 9.95) return fmt::format("{:.1f}s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < kMinute) return fmt::format("{}s", whole);
  if (whole < kHour) return fmt::format("{}m{:02}s", whole / kMinute, whole % kMinute);
  if (whole < kDay) return fmt::format("{}h{:02}m", whole / kHour, whole % kHour / kMinute);
  return fmt::format("{}d{:02}h", whole / kDay, whole % kDay / kHour);
}

std::string format_count(double value) {
  if (!std::isfinite(value)) return "?";
  const double magnitude = std::abs(value);
  if (magnitude < 999.5)
    return magnitude == std::floor(magnitude) ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
  static constexpr std::array<const char*, 5> kSuffixes = {"", "k", "M", "G", "T"};
  size_t power = 0;
  double scaled = value;
  while (std::abs(scaled) >= 999.5 && power + 1 < kSuffixes.size()) scaled /= 1000, ++power;
  return three_digits(scaled) + kSuffixes[power];
}

std::string format_rate(double per_second, const std::string& unit) {
  return fmt::format("{} {}/s", format_count(per_second), unit);
}

std::string format_bytes(uint64_t bytes) {
  static constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  size_t power = 0;
  auto value = static_cast<double>(bytes);
  while (value >= 1023.95 && power + 1 < kUnits.size()) value /= 1024, ++power;
  return fmt::format("{:.1f} {}", value, kUnits[power]);
}

double seconds_left(double done, double total, double elapsed) {
  if (!(done > 0)) return std::numeric_limits<double>::infinity();
  return std::max(0.0, total - done) * elapsed / done;
}

}  // namespace heed::cli
