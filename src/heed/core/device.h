// Where a tensor lies and its kernels run.
#pragma once

#include <cstdint>

namespace heed {

enum class DeviceType : uint8_t { kCpu };

struct Device {
  DeviceType type = DeviceType::kCpu;
  int8_t index = 0;
  bool operator==(const Device&) const = default;
};

}  // namespace heed
