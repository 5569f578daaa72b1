// Where a tensor lies and its kernels run.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace heed {

enum class DeviceType : uint8_t { kCpu, kCuda };

struct Device {
  DeviceType type = DeviceType::kCpu;
  int8_t index = 0;  // which GPU
  bool operator==(const Device&) const = default;
  bool is_host() const { return type == DeviceType::kCpu; }  // whether its memory can be read as it is
};

std::string name_of(Device device);              // "cpu", "cuda:0", …
Device device_from_name(std::string_view name);  // the inverse, "cuda" being "cuda:0"; throws UsageError

}  // namespace heed
