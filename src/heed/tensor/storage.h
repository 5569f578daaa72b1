// Storage: one block of device memory, returned to the device's caching allocator with its last owner.
#pragma once

#include <cstddef>
#include <memory>

#include "heed/core/device.h"

namespace heed {

class Storage {
 public:
  Storage(size_t bytes, Device device);
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  ~Storage();

  std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

 private:
  std::byte* data_;
  size_t bytes_;
  Device device_;
};

}  // namespace heed
