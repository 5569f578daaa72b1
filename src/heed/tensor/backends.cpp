#include "heed/tensor/backends.h"

#include "heed/cpu/cpu_backend.h"

namespace heed {

Backend& backend(Device device) {
  switch (device.type) {
    case DeviceType::kCpu: return cpu::cpu_backend();
  }
  fail<DeviceError>("device type {} is not known", static_cast<int>(device.type));
}

}  // namespace heed
