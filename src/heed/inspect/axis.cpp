#include "heed/inspect/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace heed::inspect {
namespace {

constexpr double kLargest = 1e300;  // beyond it steps are no numbers any more
constexpr double kSlack = 1e-9;     // of a step: what rounding may move a tick by

int decimals_of(double step) { return std::max(0, static_cast<int>(-std::floor(std::log10(step) + kSlack))); }

std::string with_commas(std::string digits) {
  const size_t end = std::min(digits.find('.'), digits.size()), begin = digits.starts_with('-') ? 1 : 0;
  for (size_t at = end; at > begin + 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

// 0.00002 -> "2e-5"
std::string scientific(double value) {
  const double exponent = std::floor(std::log10(std::abs(value)) + kSlack);
  return fmt::format("{:.2g}e{:.0f}", value / std::pow(10, exponent), exponent);
}

}  // namespace

double round_step(double x) {
  const double power = std::pow(10, std::floor(std::log10(x)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (x <= factor * power * (1 + kSlack)) return factor * power;
  return 10 * power;
}

std::string tick_label(double value, double step, double largest) {
  if (std::abs(value) < kSlack * step) return "0";
  if (largest < 1e-3) return scientific(value);
  for (const auto& [unit, letter] : {std::pair(1e9, "G"), {1e6, "M"}, {1e3, "k"}})
    if (largest >= 10 * unit || (largest >= unit && unit > 1e3))
      return fmt::format("{:.{}f}{}", value / unit, decimals_of(step / unit), letter);
  return with_commas(fmt::format("{:.{}f}", value, decimals_of(step)));
}

std::string short_number(double value) {
  const double size = std::abs(value);
  if (!std::isfinite(value)) return "none";
  if (size >= 1e7) return fmt::format("{:.4g}M", value / 1e6);
  if (size >= 1e4) return with_commas(fmt::format("{:.0f}", value));
  if (size > 0 && size < 1e-3) return scientific(value);
  return with_commas(fmt::format("{:.4g}", value));
}

Axis::Axis(double low, double high, bool log, int ticks, Ends ends)
    : low_(std::clamp(low, log ? 1 / kLargest : -kLargest, kLargest)),
      high_(std::clamp(high, low_, kLargest)),
      log_(log) {
  if (!(low_ < high_)) {
    const double apart = log_ ? 0 : low_ == 0 ? 1 : std::abs(low_) / 10;
    low_ = log_ ? low_ / 2 : low_ - apart;
    high_ = log_ ? high_ * 2 : high_ + apart;
  }
  const std::vector<double> values = log_ ? log_ticks(ticks) : linear_ticks(ticks, ends);
  const double largest = std::max(std::abs(low_), std::abs(high_));
  // Neighbours on a logarithmic axis are of different sizes, and so are their last digits.
  for (const double value : values)
    ticks_.push_back({value, log_ && step_ == 0 ? short_number(value) : tick_label(value, step_, largest)});
}

std::vector<double> Axis::linear_ticks(int count, Ends ends) {
  step_ = round_step((high_ - low_) / count);
  if (ends == Ends::kTicks) {
    low_ = std::floor(low_ / step_ + kSlack) * step_;
    high_ = std::ceil(high_ / step_ - kSlack) * step_;
  }
  std::vector<double> values;
  for (double i = std::ceil(low_ / step_ - kSlack); i * step_ <= high_ + kSlack * step_; ++i)
    values.push_back(i * step_);
  return values;
}

std::vector<double> Axis::log_ticks(int count) {
  const auto within = [&](const std::vector<double>& factors) {
    std::vector<double> values;
    for (double power = std::pow(10, std::floor(std::log10(low_))); power <= high_; power *= 10)
      for (const double factor : factors)
        if (const double value = factor * power; value >= low_ * (1 - kSlack) && value <= high_ * (1 + kSlack))
          values.push_back(value);
    return values;
  };
  std::vector<double> powers = within({1});
  if (powers.size() >= 3) {
    // Of many powers every second or third.
    const size_t every = (powers.size() + static_cast<size_t>(count) - 1) / static_cast<size_t>(count);
    std::vector<double> values;
    for (size_t i = 0; i < powers.size(); i += every) values.push_back(powers[i]);
    return values;
  }
  if (std::vector<double> values = within({1, 2, 5}); values.size() >= 3) return values;
  return linear_ticks(count, Ends::kData);
}

double Axis::place(double value) const {
  if (log_) return std::log(value / low_) / std::log(high_ / low_);
  return (value - low_) / (high_ - low_);
}

bool Axis::shows(double value) const { return std::isfinite(value) && (!log_ || value > 0); }

}  // namespace heed::inspect
