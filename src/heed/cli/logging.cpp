#include "heed/cli/logging.h"

#include <fmt/chrono.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>

#include <array>
#include <memory>

#include "heed/base/json.h"
#include "heed/base/log.h"
#include "heed/cli/terminal.h"

namespace heed::cli {
namespace {

constexpr std::array<const char*, 6> kLevelNames = {"trace", "debug", "info", "warn", "error", "off"};

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace: return spdlog::level::trace;
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarn: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
    case LogLevel::kOff: break;
  }
  return spdlog::level::off;
}

LogLevel from_spdlog(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace: return LogLevel::kTrace;
    case spdlog::level::debug: return LogLevel::kDebug;
    case spdlog::level::info: return LogLevel::kInfo;
    case spdlog::level::warn: return LogLevel::kWarn;
    default: return LogLevel::kError;
  }
}

// Formats and hands to the Console, which locks.
class ConsoleSink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  ConsoleSink(Console& console, LogFormat format) : console_(console), log_format_(format) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view text(message.payload.data(), message.payload.size());
    console_.line(format_log_line(message.time, from_spdlog(message.level), text, log_format_));
  }
  void flush_() override {}

 private:
  Console& console_;
  const LogFormat log_format_;
};

}  // namespace

void start_logging(Console& console, LogLevel level, LogFormat format) {
  set_log_sink(std::make_shared<ConsoleSink>(console, format));
  log().set_level(to_spdlog(level));
}

void stop_logging() { set_log_sink(nullptr); }

std::string format_utc(std::chrono::system_clock::time_point time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

std::string format_log_line(std::chrono::system_clock::time_point time, LogLevel level, std::string_view message,
                            LogFormat format) {
  const char* const name = kLevelNames[static_cast<size_t>(level)];
  if (format == LogFormat::kText) return fmt::format("{} {} {}", format_utc(time), name, printable(message));
  const Json line = {{"time", format_utc(time)}, {"level", name}, {"message", std::string(message)}};
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace heed::cli
