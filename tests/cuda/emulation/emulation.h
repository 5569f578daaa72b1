// The device memory of the emulation: locked while no kernel and no copy runs.
#pragma once

namespace emulation {

// Opens the memory for the calling thread's work on it; no other thread works on it meanwhile.
class OpenMemory {
 public:
  OpenMemory();
  OpenMemory(const OpenMemory&) = delete;
  OpenMemory& operator=(const OpenMemory&) = delete;
  ~OpenMemory();
};

}  // namespace emulation
