#include "heed/tensor/backends.h"

#include <dlfcn.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <mutex>

#include "heed/cpu/cpu_backend.h"

namespace heed {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> places_of_cuda_library() {
  if (const char* path = std::getenv("HEED_CUDA_LIBRARY"); path && *path) return {path};
  const fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
  return {folder / "libheed_cuda.so", folder / "../lib/heed/libheed_cuda.so"};
}

// Never closed: tensors with static lifetime may still return memory to it.
DeviceLibrary& open_cuda_library() {
  std::string errors;
  void* library = nullptr;
  for (const fs::path& path : places_of_cuda_library()) {
    library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library) break;
    errors += fmt::format("{}{}", errors.empty() ? "" : "; ", ::dlerror());
  }
  check<DeviceError>(library != nullptr, "Heed's library for CUDA cannot be opened: {}", errors);
  const auto open = reinterpret_cast<OpenDeviceLibrary>(::dlsym(library, kOpenCuda));
  DeviceLibrary* devices = open ? open(kDeviceAbi) : nullptr;
  check<DeviceError>(devices != nullptr, "libheed_cuda.so is of another version of Heed");
  return *devices;
}

// Opened on first use; where that throws, the next use tries again.
DeviceLibrary& cuda_library() {
  static DeviceLibrary& library = open_cuda_library();
  return library;
}

Backend& cuda_backend(int index) {
  static std::array<std::atomic<Backend*>, 128> known{};
  check<DeviceError>(index >= 0 && index < std::ssize(known), "there is no GPU {}", index);
  auto& slot = known[static_cast<size_t>(index)];
  Backend* found = slot.load(std::memory_order_acquire);
  if (!found) slot.store(found = &cuda_library().backend(index), std::memory_order_release);
  return *found;
}

}  // namespace

Backend& backend(Device device) {
  switch (device.type) {
    case DeviceType::kCpu: return cpu::cpu_backend();
    case DeviceType::kCuda: return cuda_backend(device.index);
  }
  fail<DeviceError>("device type {} is not known", static_cast<int>(device.type));
}

std::string cpu_instructions() { return cpu::simd_name(); }

std::string new_device_group() { return cuda_library().new_group(); }

std::unique_ptr<DeviceGroup> join_device_group(Device device, const std::string& group, int rank, int world) {
  return cuda_library().join_group(device.index, group, rank, world);
}

CudaDevices cuda_devices() {
  CudaDevices result;
  try {
    DeviceLibrary& library = cuda_library();
    result.devices = library.devices();
    result.versions = library.versions();
    if (result.devices.empty()) result.why_none = library.why_none();
  } catch (const DeviceError& error) {
    result.why_none = error.what();
  }
  return result;
}

}  // namespace heed
