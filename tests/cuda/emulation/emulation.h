// The device memory of the emulation, locked while no kernel and no copy runs, and its end where a kernel is wrong.
#pragma once

namespace emulation {

// Ends the process with a message.
[[noreturn]] void fail(const char* what);

// Opens the memory for the calling thread's work on it; no other thread works on it meanwhile.
class OpenMemory {
 public:
  OpenMemory();
  OpenMemory(const OpenMemory&) = delete;
  OpenMemory& operator=(const OpenMemory&) = delete;
  ~OpenMemory();
};

}  // namespace emulation
