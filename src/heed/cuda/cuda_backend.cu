// The backend's stream, the list of GPUs, and the function that the program finds the library by.
#include "heed/cuda/cuda_backend.h"

#include <map>

#include "heed/cuda/device_group.h"
#include "heed/cuda/gemm.h"
#include "heed/cuda/launch.h"
#include "heed/cuda/memory.h"

namespace heed::cuda {

void check_cuda(cudaError_t status, const char* what) {
  if (status == cudaSuccess) [[likely]]
    return;
  if (status == cudaErrorMemoryAllocation) fail<MemoryError>("out of GPU memory for {}", what);
  fail<DeviceError>("the GPU failed at {}: {}", what, cudaGetErrorString(status));
}

CudaBackend::CudaBackend(int index) : index_(index) {
  check_cuda(cudaSetDevice(index), "its start");
  check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "a stream");
  allocator_ = std::make_unique<Allocator>();
  ring_ = std::make_unique<PinnedRing>();
  products_ = std::make_unique<Products>(*this);
}

CudaBackend::~CudaBackend() = default;

cudaStream_t CudaBackend::stream() const {
  check_cuda(cudaSetDevice(index_), "its choice");
  return stream_;
}

namespace {

class CudaLibrary final : public DeviceLibrary {
 public:
  std::vector<DeviceDescription> devices() override {
    std::vector<DeviceDescription> found;
    const int count = device_count();
    for (int i = 0; i < count; ++i) found.push_back(describe(i));
    return found;
  }

  std::string why_none() override {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    cudaGetLastError();
    if (status != cudaSuccess) return cudaGetErrorString(status);
    return count == 0 ? "there is no GPU" : "";
  }

  std::string versions() override {
    int driver = 0, runtime = 0;
    if (cudaDriverGetVersion(&driver) != cudaSuccess) driver = 0;
    check_cuda(cudaRuntimeGetVersion(&runtime), "its version");
    const auto text = [](int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); };
    return driver == 0 ? fmt::format("no driver, CUDA runtime {}", text(runtime))
                       : fmt::format("driver for CUDA {}, runtime {}", text(driver), text(runtime));
  }

  std::string new_group() override { return new_device_group(); }
  std::unique_ptr<DeviceGroup> join_group(int index, const std::string& group, int rank, int world) override {
    return join_device_group(known(index), group, rank, world);
  }
  Backend& backend(int index) override { return known(index); }

 private:
  CudaBackend& known(int index) {
    const int count = device_count();
    check<DeviceError>(count > 0, "no GPU can be used: {}", why_none());
    check<DeviceError>(index >= 0 && index < count, "there is no GPU {}; this machine has {}", index, count);
    const std::lock_guard lock(mutex_);
    auto& made = backends_[index];
    if (!made) made = std::make_unique<CudaBackend>(index);
    return *made;
  }

  static int device_count() {
    int count = 0;
    if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
    cudaGetLastError();
    return 0;
  }

  static DeviceDescription describe(int index) {
    cudaDeviceProp properties{};
    check_cuda(cudaGetDeviceProperties(&properties, index), "its description");
    DeviceDescription d;
    d.name = properties.name;
    d.memory_bytes = properties.totalGlobalMem;
    d.architecture = fmt::format("{}.{}", properties.major, properties.minor);
    d.multiprocessors = properties.multiProcessorCount;
    size_t free = 0, total = 0;
    check_cuda(cudaSetDevice(index), "its choice");
    check_cuda(cudaMemGetInfo(&free, &total), "its free memory");
    d.free_bytes = free;
    return d;
  }

  std::mutex mutex_;
  std::map<int, std::unique_ptr<CudaBackend>> backends_;
};

}  // namespace
}  // namespace heed::cuda

// Never destroyed: tensors with static lifetime may still return memory.
extern "C" __attribute__((visibility("default"))) heed::DeviceLibrary* heed_open_cuda(int abi) {
  if (abi != heed::kDeviceAbi) return nullptr;
  static auto* library = new heed::cuda::CudaLibrary;
  return library;
}
