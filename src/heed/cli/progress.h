// Progress of a long run: one live line on a terminal, a line every so often on a pipe, nothing when quiet.
//
// The caller gives the fields as text ("step 120/1000  loss 3.21  lr 1e-3  12.3k tok/s  ETA 3m05s"), made only when
// one is due, so update() may be called at every step. Also the helpers that write such fields.
// A Progress is used by one thread; messages of other threads go through the same Console.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "heed/cli/console.h"

namespace heed::cli {

using Clock = std::function<std::chrono::steady_clock::time_point()>;

class Progress {
 public:
  static constexpr std::chrono::milliseconds kLiveInterval{100};  // at most ten times a second
  static constexpr std::chrono::seconds kLineInterval{10};

  // `interval`: between two lines where no live line can be shown.
  Progress(Console& console, bool quiet, std::chrono::milliseconds interval = kLineInterval,
           Clock clock = &std::chrono::steady_clock::now);
  ~Progress();  // erases the live line

  // Shows what `fields` returns if it is time. The first call shows at once.
  void update(const std::function<std::string()>& fields);

  // Writes a line that stays, whenever it comes (a validation's result). Nothing when quiet.
  void line(const std::string& text);

  // Erases the live line and writes `text` as the last line that stays.
  void finish(const std::string& text);

 private:
  Console& console_;
  const bool quiet_;
  const std::chrono::milliseconds interval_;
  const Clock clock_;
  std::chrono::steady_clock::time_point next_;
};

// "0.4s", "12s", "3m05s", "1h02m", "2d03h"; "?" if it is not finite.
std::string format_duration(double seconds);

// "950", "12.3k", "4.56M", "1.20G": three digits. Negative numbers likewise.
std::string format_count(double value);

// format_count(value) with a unit per second: "12.3k tok/s".
std::string format_rate(double per_second, const std::string& unit);

// "512 B", "1.5 KiB", "3.2 GiB".
std::string format_bytes(uint64_t bytes);

// Seconds left when `done` of `total` took `elapsed` seconds; infinite before anything is done.
double seconds_left(double done, double total, double elapsed);

}  // namespace heed::cli
