// The program's log: what the library says through base/log.h, written to standard error with UTC times, as text
//   2026-01-31T12:00:00Z info loaded 12 tensors
// or as one JSON object a line: {"time":"…","level":"info","message":"…"}. Control characters of messages are escaped,
// so that a message is one line always. Thread-safe (the Console holds the lock).
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "heed/cli/console.h"

namespace heed::cli {

enum class LogLevel { kTrace, kDebug, kInfo, kWarn, kError, kOff };
enum class LogFormat { kText, kJson };

// Sends the library's log of at least `level` to `console`, which must outlive the log's use: see stop_logging.
void start_logging(Console& console, LogLevel level, LogFormat format);

// The library's log is silent again.
void stop_logging();

// One line of the log.
std::string format_log_line(std::chrono::system_clock::time_point time, LogLevel level, std::string_view message,
                            LogFormat format);

// "2026-01-31T12:00:00Z"
std::string format_utc(std::chrono::system_clock::time_point time);

}  // namespace heed::cli
