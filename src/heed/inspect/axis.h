// An axis of a plot: where values stand on it, and ticks at round numbers. Immutable; pure.
#pragma once

#include <string>
#include <vector>

namespace heed::inspect {

struct Tick {
  double value = 0;
  std::string label;
};

class Axis {
 public:
  enum class Ends { kData, kTicks };  // where the axis ends: at the values given, or at the ticks around them

  // From `low` to `high` (equal ones are moved apart), with about `ticks` ticks. `log`: `low` must be above 0.
  Axis(double low, double high, bool log, int ticks, Ends ends = Ends::kData);

  // 0 at the low end, 1 at the high one; beyond them where the value is.
  double place(double value) const;
  // Whether the axis can show the value at all: finite, and above 0 on a logarithmic one.
  bool shows(double value) const;

  double low() const { return low_; }
  double high() const { return high_; }
  bool is_log() const { return log_; }
  const std::vector<Tick>& ticks() const { return ticks_; }

 private:
  std::vector<double> linear_ticks(int count, Ends ends);
  std::vector<double> log_ticks(int count);

  double low_, high_;
  bool log_;
  double step_ = 0;  // between linear ticks
  std::vector<Tick> ticks_;
};

// The next of 1, 2, 5, 10, 20, … times a power of ten at or above `x` > 0.
double round_step(double x);

// A number as an axis shows it: "0.05", "1,500", "20k", "3M", "2e-5". `step`: the distance of its neighbours.
std::string tick_label(double value, double step, double largest);

// A number for people to read: four digits that count.
std::string short_number(double value);

}  // namespace heed::inspect
