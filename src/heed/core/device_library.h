// What a library of kernels for another kind of device offers to the program, which opens it at run time and so needs
// nothing of what the library needs.
//
// libheed_cuda.so exports one function: extern "C" DeviceLibrary* heed_open_cuda(int abi), nullptr for another abi. The
// object lives as long as the process. Thread-safe.
#pragma once

#include <memory>
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

// The GPUs of processes that train together, one of each. All make the same calls in the same order, each from one
// thread.
class DeviceGroup {
 public:
  virtual ~DeviceGroup() = default;
  // x [numbers], f32 and without gaps, = the sum of all processes' x, the same bits everywhere: begun after the kernels
  // called before, done for those called after finish(); x must stay as it is till then.
  virtual void begin_sum(const TensorView& x) = 0;
  // The same for x = what process `from` has.
  virtual void begin_broadcast(const TensorView& x, int from) = 0;
  virtual void finish() = 0;
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
  // The name of a new group, for the first of the processes to tell all; and a process's part in it, made once all are
  // there. Throw DeviceError where there is nothing to talk by.
  virtual std::string new_group() = 0;
  virtual std::unique_ptr<DeviceGroup> join_group(int index, const std::string& group, int rank, int world) = 0;
};

// Changes whenever DeviceLibrary, Backend or what they pass changes.
inline constexpr int kDeviceAbi = 7;
using OpenDeviceLibrary = DeviceLibrary* (*)(int abi);
inline constexpr const char* kOpenCuda = "heed_open_cuda";

}  // namespace heed
