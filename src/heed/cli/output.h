// Standard output, which holds results alone.
//
// Output is buffered, and written line by line on a terminal. When the reader has gone (EPIPE) it throws OutputClosed,
// which ends the program quietly; any other failure is an IoError. Not thread-safe: one thread writes.
#pragma once

#include <string>
#include <string_view>

namespace heed::cli {

// Nobody reads standard output any more.
class OutputClosed {};

class Output {
 public:
  explicit Output(int descriptor);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(std::string_view text);
  void line(std::string_view text);  // with "\n"
  void flush();
  int descriptor() const { return descriptor_; }
  void set_line_buffered(bool value) { line_buffered_ = value; }  // by default only on a terminal

 private:
  const int descriptor_;
  bool line_buffered_;
  std::string buffer_;
};

}  // namespace heed::cli
