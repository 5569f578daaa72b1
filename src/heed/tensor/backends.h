// The table of devices: which Backend runs a device's kernels. Thread-safe.
//
// The CPU's is part of the program. CUDA's is a library, libheed_cuda.so, that is opened on first use:
// HEED_CUDA_LIBRARY names it, or else it lies beside the program or in ../lib/heed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "heed/core/device_library.h"

namespace heed {

// The backend of `device`; throws DeviceError if there is none, saying what is missing.
Backend& backend(Device device = {});

// The instruction set that the CPU's kernels use: "AVX3" (AVX-512), "AVX2" or "Scalar".
std::string cpu_instructions();

// The GPUs of this machine, or why there are none. Never throws DeviceError.
struct CudaDevices {
  std::vector<DeviceDescription> devices;
  std::string versions;  // of driver and runtime; empty where the library could not be opened
  std::string why_none;
};
CudaDevices cuda_devices();

// The GPUs of processes that train together: see DeviceLibrary::new_group() and join_group().
std::string new_device_group();
std::unique_ptr<DeviceGroup> join_device_group(Device device, const std::string& group, int rank, int world);

}  // namespace heed
