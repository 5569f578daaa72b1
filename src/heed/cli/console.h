// Standard error as the program uses it: whole lines, and on a terminal one live line below them that is drawn over.
//
// Messages and the live line come from different threads (a log sink, the progress of a training), so one lock guards
// both: a message erases the live line, is written, and the live line is drawn again. Failed writes are ignored: a
// training must not die because the terminal that started it is gone. Thread-safe.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "heed/cli/options.h"

namespace heed::cli {

class Console {
 public:
  Console(int descriptor, Environment environment);
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;
  ~Console();  // erases the live line

  bool is_live() const { return live_terminal_; }  // whether live() shows anything
  bool has_colour() const { return colour_; }
  void set_colour(bool colour) { colour_ = colour; }  // before other threads use it
  int width() const;

  // Writes one line above the live line.
  void line(std::string_view text);

  // Replaces the live line, cut to the terminal's width; empty erases it. Nothing happens where is_live() is false.
  void live(std::string_view text);

 private:
  void write_all(std::string_view text) const;

  const int descriptor_;
  const Environment environment_;
  const bool live_terminal_;
  bool colour_;
  std::mutex mutex_;
  std::string live_;  // what is drawn now
};

}  // namespace heed::cli
