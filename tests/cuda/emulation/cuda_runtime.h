// As much of CUDA's runtime as src/heed/cuda uses, on the CPU: the kernels' own sources are compiled against this
// header by the host's compiler, so that their logic can be tested where no GPU is.
//
// A block's threads are fibers of one thread of the host, which change places where the kernel synchronises; shared
// memory is static. Threads that do not meet at a barrier as they must, writes beyond what was allocated, and host code
// that touches device memory (which is locked while no kernel runs) end the process. Every second launch runs the
// threads backwards, so that a race shows as a result that does not repeat. What this cannot show: warps that really
// run at once, memory that is not coherent, and speed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __launch_bounds__(...)
#define __forceinline__ inline

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3() = default;
  explicit dim3(unsigned n) : x(n) {}
};
struct alignas(16) float4 {
  float x, y, z, w;
};

namespace emulation {

// Runs the function once for each thread of each block.
void run(const dim3& grid, const dim3& block, size_t shared_bytes, const std::function<void()>& thread);
// Puts `bytes` there for the other lanes and waits until all 32 have; returns what all lanes put, 8 bytes each.
const uint64_t* exchange(uint64_t mine);
void wait_for_block();
int or_of_block(int value);

}  // namespace emulation

// --- what kernels see -------------------------------------------------------------------------------------------

inline dim3 threadIdx, blockIdx, blockDim, gridDim;

inline void __syncthreads() { emulation::wait_for_block(); }
inline int __syncthreads_or(int value) { return emulation::or_of_block(value); }
inline void __syncwarp() { emulation::exchange(0); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }

namespace emulation {

template <class T>
T value_of_lane(T mine, unsigned lane) {
  static_assert(sizeof(T) <= 8);
  uint64_t bits = 0;
  std::memcpy(&bits, &mine, sizeof mine);
  const uint64_t* all = exchange(bits);
  T result;
  std::memcpy(&result, &all[lane], sizeof result);
  return result;
}

}  // namespace emulation

template <class T>
T __shfl_xor_sync(unsigned, T value, int offset) {
  return emulation::value_of_lane(value, threadIdx.x % 32 ^ static_cast<unsigned>(offset));
}
template <class T>
T __shfl_sync(unsigned, T value, int lane, int width = 32) {
  const unsigned own = threadIdx.x % 32, group = own / static_cast<unsigned>(width) * static_cast<unsigned>(width);
  return emulation::value_of_lane(value, group + static_cast<unsigned>(lane) % static_cast<unsigned>(width));
}
inline unsigned __ballot_sync(unsigned, bool value) {
  const uint64_t* all = emulation::exchange(value ? 1 : 0);
  unsigned bits = 0;
  for (unsigned lane = 0; lane < 32; ++lane) bits |= static_cast<unsigned>(all[lane]) << lane;
  return bits;
}

// --- what the host sees -----------------------------------------------------------------------------------------

enum cudaError_t { cudaSuccess = 0, cudaErrorMemoryAllocation = 2, cudaErrorInvalidDevice = 101 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum { cudaEventDisableTiming = 2, cudaStreamNonBlocking = 1 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum cudaDataType_t { CUDA_R_32F, CUDA_R_16BF };
using cudaStream_t = struct Stream*;
using cudaEvent_t = struct Event*;

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
};
struct cudaDeviceProp {
  char name[64];
  size_t totalGlobalMem;
  int major, minor, multiProcessorCount;
};

cudaError_t cudaMalloc(void** data, size_t bytes);
cudaError_t cudaFree(void* data);
cudaError_t cudaMallocHost(void** data, size_t bytes);
cudaError_t cudaFreeHost(void* data);
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
const char* cudaGetErrorString(cudaError_t status);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);

inline cudaError_t cudaGetLastError() { return cudaSuccess; }
// As many as the environment says, all the same.
inline cudaError_t cudaGetDeviceCount(int* count) {
  const char* said = std::getenv("HEED_EMULATED_GPUS");
  return *count = said ? std::atoi(said) : 1, cudaSuccess;
}
inline cudaError_t cudaDriverGetVersion(int* version) { return *version = 0, cudaSuccess; }
inline cudaError_t cudaRuntimeGetVersion(int* version) { return *version = 0, cudaSuccess; }
inline cudaError_t cudaSetDevice(int device) {
  int count = 0;
  cudaGetDeviceCount(&count);
  return device < count ? cudaSuccess : cudaErrorInvalidDevice;
}
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t*, unsigned) { return cudaSuccess; }
inline cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t);  // counted: heed_emulated_waits()
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t*, unsigned) { return cudaSuccess; }
inline cudaError_t cudaEventDestroy(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) { return cudaSuccess; }

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  const auto call = [kernel](Parameters... values) { return std::function<void()>([=] { kernel(values...); }); };
  emulation::run(config->gridDim, config->blockDim, config->dynamicSmemBytes,
                 call(std::forward<Arguments>(arguments)...));
  return cudaSuccess;
}
