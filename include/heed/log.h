// What the library has to say beside its results, such as input that was cut or a checkpoint that could not be written.
// The library itself never prints.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "heed/export.h"

namespace heed {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

using LogFunction = std::function<void(LogLevel level, std::string_view message)>;

// Hands every message of at least `least` to `function`, from whichever thread has it but from one at a time; an empty
// function silences the library, as it is at first. Holds for the whole process: call it while no other function of the
// library runs. The function must not throw, nor call the library.
HEED_API void set_log(LogFunction function, LogLevel least = LogLevel::kInfo);

}  // namespace heed
