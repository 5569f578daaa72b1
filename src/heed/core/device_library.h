// What a library of kernels for another kind of device offers to the program, which opens it at run time and so needs
// nothing of what the library needs.
//
// libheed_cuda.so exports one function: extern "C" DeviceLibrary* heed_open_cuda(int abi), nullptr for another abi. The
// object lives as long as the process. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "heed/core/backend.h"

namespace heed {

struct DeviceDescription {
  std::string name;  // of the product
  uint64_t memory_bytes = 0;
  uint64_t free_bytes = 0;   // now, other processes' share taken off
  std::string architecture;  // "9.0"
  int multiprocessors = 0;
};

class DeviceLibrary {
 public:
  virtual ~DeviceLibrary() = default;
  // The devices of this machine, in order of their index; empty if there are none, or if they cannot be used.
  virtual std::vector<DeviceDescription> devices() = 0;
  // Why devices() is empty, as the driver says it.
  virtual std::string why_none() = 0;
  // "driver for CUDA 13.0, runtime 13.0"
  virtual std::string versions() = 0;
  // The backend of device `index`, made on first use; throws DeviceError if there is no such device.
  virtual Backend& backend(int index) = 0;
};

// Changes whenever DeviceLibrary, Backend or what they pass changes.
inline constexpr int kDeviceAbi = 3;
using OpenDeviceLibrary = DeviceLibrary* (*)(int abi);
inline constexpr const char* kOpenCuda = "heed_open_cuda";

}  // namespace heed
