// Stopping on SIGINT and SIGTERM: the first one sets a flag that a long run looks at between two steps, so that it can
// save and leave; the second one ends the process at once. The handler does nothing but that, so it is
// async-signal-safe. The flag is the process's, as signals are; all functions are thread-safe.
#pragma once

#include <atomic>

namespace heed::cli {

// From here on the two signals set the flag. Without this call they end the process, as is right for a command that
// has nothing to save.
void install_stop_signals();

// The flag, for a library that takes one: true once SIGINT or SIGTERM has come.
const std::atomic<bool>& stop_flag();

inline bool stop_requested() { return stop_flag().load(std::memory_order_relaxed); }

// SIGINT or SIGTERM, whichever came first; 0 if none did.
int stop_signal();

// Undoes install_stop_signals and clears the flag.
void reset_stop_signals();

// From here on writing to a pipe that nobody reads is an error of the write instead of the end of the process.
void ignore_broken_pipes();

}  // namespace heed::cli
