#include "heed/core/device.h"

#include <charconv>

#include "heed/base/error.h"

namespace heed {
namespace {

constexpr std::string_view kCudaName = "cuda";

}  // namespace

std::string name_of(Device device) {
  return device.is_host() ? "cpu" : fmt::format("{}:{}", kCudaName, static_cast<int>(device.index));
}

Device device_from_name(std::string_view name) {
  if (name == "cpu") return {};
  if (name == kCudaName) return {DeviceType::kCuda, 0};
  int index = -1;
  if (name.starts_with(kCudaName) && name.substr(kCudaName.size()).starts_with(':')) {
    const char* begin = name.data() + kCudaName.size() + 1;
    const char* end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(begin, end, index);
    if (error != std::errc() || stop != end) index = -1;
  }
  check<UsageError>(index >= 0 && index <= 127, "no device is called \"{}\"; there are cpu, cuda and cuda:0, cuda:1, …",
                    name);
  return {DeviceType::kCuda, static_cast<int8_t>(index)};
}

}  // namespace heed
