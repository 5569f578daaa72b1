#include "heed/base/log.h"

#include <spdlog/sinks/null_sink.h>

namespace heed {

spdlog::logger& log() {
  static spdlog::logger logger("heed", std::make_shared<spdlog::sinks::null_sink_mt>());
  return logger;
}

void set_log_sink(std::shared_ptr<spdlog::sinks::sink> sink) {
  if (!sink) sink = std::make_shared<spdlog::sinks::null_sink_mt>();
  log().sinks() = {std::move(sink)};
}

}  // namespace heed
