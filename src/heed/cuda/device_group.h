// DeviceLibrary's groups of GPUs, by NCCL (nccl.cu).
#pragma once

#include <memory>
#include <string>

#include "heed/core/device_library.h"

namespace heed::cuda {

class CudaBackend;

std::string new_device_group();
std::unique_ptr<DeviceGroup> join_device_group(const CudaBackend& backend, const std::string& group, int rank,
                                               int world);

}  // namespace heed::cuda
