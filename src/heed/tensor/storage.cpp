#include "heed/tensor/storage.h"

#include "heed/tensor/backends.h"

namespace heed {

Storage::Storage(size_t bytes, Device device)
    : data_(static_cast<std::byte*>(backend(device).allocate(bytes))), bytes_(bytes), device_(device) {}

Storage::~Storage() { backend(device_).deallocate(data_, bytes_); }

}  // namespace heed
