// The library's log: one spdlog logger named "heed". It is silent until the program (or whoever embeds the library)
// gives it a sink; the library itself never prints. Thread-safe.
#pragma once

#include <spdlog/logger.h>

#include <memory>

namespace heed {

// The logger to write to: log().info("loaded {} tensors", n).
spdlog::logger& log();

// Replaces all sinks by `sink`; nullptr silences the log again.
void set_log_sink(std::shared_ptr<spdlog::sinks::sink> sink);

}  // namespace heed
