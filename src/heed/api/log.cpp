#include "heed/log.h"

#include <spdlog/sinks/base_sink.h>

#include <memory>
#include <mutex>
#include <utility>

#include "heed/api/guard.h"
#include "heed/base/log.h"

namespace heed {
namespace {

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::off;
}

LogLevel level_of(spdlog::level::level_enum level) {
  if (level >= spdlog::level::err) return LogLevel::kError;
  if (level == spdlog::level::warn) return LogLevel::kWarning;
  return level == spdlog::level::info ? LogLevel::kInfo : LogLevel::kDebug;
}

class FunctionSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FunctionSink(LogFunction function) : function_(std::move(function)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    function_(level_of(message.level), {message.payload.data(), message.payload.size()});
  }
  void flush_() override {}

  LogFunction function_;
};

}  // namespace

void set_log(LogFunction function, LogLevel least) {
  api::guarded([&] {
    if (!function) return set_log_sink(nullptr);
    log().set_level(level_of(least));
    set_log_sink(std::make_shared<FunctionSink>(std::move(function)));
  });
}

}  // namespace heed
