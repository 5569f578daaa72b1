// The caching allocator, transfers, copies between element types, and fills.
#include "heed/cuda/memory.h"

#include <bit>
#include <cstring>
#include <string>

#include "heed/cuda/cuda_backend.h"
#include "heed/cuda/launch.h"
#include "heed/cuda/math-device.h"

namespace heed::cuda {
namespace {

std::string bytes_text(size_t bytes) {
  const auto value = static_cast<double>(bytes);
  return bytes >= size_t{1} << 30   ? fmt::format("{:.2f} GiB", value / 0x1p30)
         : bytes >= size_t{1} << 20 ? fmt::format("{:.1f} MiB", value / 0x1p20)
                                    : fmt::format("{} bytes", bytes);
}

// The bytes of one class's blocks: the inverse of size_class().index.
size_t class_bytes(size_t index) { return (index % 8 + 8) << (index / 8); }

}  // namespace

void* Allocator::allocate(size_t bytes) {
  check<MemoryError>(bytes <= size_t{1} << 46, "a block of {} bytes cannot be had", bytes);
  const SizeClass size = size_class(bytes);
  const std::lock_guard lock(mutex_);
  auto& free = free_[size.index];
  void* data = nullptr;
  if (free.empty()) {
    data = from_system(size.bytes);
  } else {
    data = free.back();
    free.pop_back();
    cached_ -= size.bytes;
  }
  in_use_ += size.bytes;
  ++blocks_in_use_[size.index];
  return data;
}

void Allocator::deallocate(void* data, size_t bytes) noexcept {
  const SizeClass size = size_class(bytes);
  const std::lock_guard lock(mutex_);
  in_use_ -= size.bytes;
  cached_ += size.bytes;
  --blocks_in_use_[size.index];
  free_[size.index].push_back(data);
}

void Allocator::release_unused() {
  const std::lock_guard lock(mutex_);
  return_cached();
}

size_t Allocator::in_use() const {
  const std::lock_guard lock(mutex_);
  return in_use_;
}

void* Allocator::from_system(size_t bytes) {
  void* data = nullptr;
  cudaError_t status = cudaMalloc(&data, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // or the next call would answer with it
    return_cached();
    status = cudaMalloc(&data, bytes);
  }
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    fail_for_want_of(bytes);
  }
  check_cuda(status, "memory");
  return data;
}

// cudaFree waits for the kernels that still use what is freed.
void Allocator::return_cached() {
  for (auto& free : free_) {
    for (void* data : free) cudaFree(data);
    free.clear();
  }
  cached_ = 0;
}

void Allocator::fail_for_want_of(size_t bytes) const {
  size_t free = 0, total = 0;
  check_cuda(cudaMemGetInfo(&free, &total), "its free memory");
  std::string holders;
  int listed = 0;
  for (size_t i = kSizeClasses; i-- > 0 && listed < 3;) {
    if (blocks_in_use_[i] == 0) continue;
    holders += fmt::format("{}{} of {}", listed++ == 0 ? "" : ", ", blocks_in_use_[i], bytes_text(class_bytes(i)));
  }
  fail<MemoryError>(
      "out of GPU memory: {} were wanted, {} of {} are free; in use are {}, the largest blocks {}. A smaller batch or "
      "recomputing layers needs less",
      bytes_text(bytes), bytes_text(free), bytes_text(total), bytes_text(in_use_), holders.empty() ? "none" : holders);
}

PinnedRing::PinnedRing() {
  void* memory = nullptr;
  check_cuda(cudaMallocHost(&memory, 2 * kHalf), "pinned memory");
  memory_ = static_cast<std::byte*>(memory);
  for (cudaEvent_t& event : left_) check_cuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "an event");
}

PinnedRing::~PinnedRing() {
  for (cudaEvent_t& event : left_) cudaEventDestroy(event);
  cudaFreeHost(memory_);
}

void PinnedRing::copy(const void* host, size_t bytes, void* device, cudaStream_t stream) {
  // Large ones: the runtime waits until it has read all of `host`.
  if (bytes > kHalf) {
    check_cuda(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream), "a copy to it");
    return check_cuda(cudaStreamSynchronize(stream), "a copy to it");
  }
  const std::lock_guard lock(mutex_);
  if (used_ + bytes > kHalf) {
    check_cuda(cudaEventRecord(left_[static_cast<size_t>(half_)], stream), "an event");
    half_ = 1 - half_;
    used_ = 0;
    check_cuda(cudaEventSynchronize(left_[static_cast<size_t>(half_)]), "a copy to it");
  }
  std::byte* at = memory_ + static_cast<size_t>(half_) * kHalf + used_;
  std::memcpy(at, host, bytes);
  used_ += bytes;
  check_cuda(cudaMemcpyAsync(device, at, bytes, cudaMemcpyHostToDevice, stream), "a copy to it");
}

// Each array begins at a multiple of 16 bytes.
Upload::Upload(CudaBackend& backend, std::initializer_list<std::span<const std::byte>> arrays) {
  size_t total = 0;
  for (const auto& array : arrays) {
    offsets_.push_back(total);
    total += (array.size() + 15) / 16 * 16;
  }
  std::vector<std::byte> together(total);
  size_t i = 0;
  for (const auto& array : arrays)
    std::copy(array.begin(), array.end(), together.begin() + static_cast<int64_t>(offsets_[i++]));
  memory_.emplace(backend, total);
  backend.to_device(together.data(), total, memory_->as<std::byte>());
}

void* CudaBackend::allocate(size_t bytes) {
  stream();  // makes the device current
  return allocator_->allocate(bytes);
}
void CudaBackend::deallocate(void* data, size_t bytes) noexcept { allocator_->deallocate(data, bytes); }
void CudaBackend::release_unused() {
  stream();  // makes the device current
  allocator_->release_unused();
}
size_t CudaBackend::bytes_in_use() const { return allocator_->in_use(); }

void CudaBackend::to_device(const void* host, size_t bytes, void* data) {
  if (bytes > 0) ring_->copy(host, bytes, data, stream());
}

void CudaBackend::to_host(const void* data, size_t bytes, void* host) {
  if (bytes > 0) check_cuda(cudaMemcpyAsync(host, data, bytes, cudaMemcpyDeviceToHost, stream()), "a copy from it");
  synchronize();
}

void CudaBackend::synchronize() { check_cuda(cudaStreamSynchronize(stream()), "a kernel"); }

namespace {

struct Convert {
  DType from, to;
  const void* x;
  int64_t x_stride;
  void* y;
  int64_t y_stride;
  __device__ void operator()(int64_t r, int64_t c) const {
    store_number(load_number(from, x, r * x_stride + c), to, y, r * y_stride + c);
  }
};

template <class T>
struct Fill {
  Rows<T> y;
  T value;
  __device__ void operator()(int64_t r, int64_t c) const { y[r][c] = value; }
};

template <class T>
void fill_with(cudaStream_t stream, const TensorView& y, const void* element) {
  T value;
  std::memcpy(&value, element, sizeof value);
  for_each_element(stream, {y}, Fill<T>{{static_cast<T*>(y.data), y.row_stride}, value});
}

}  // namespace

void CudaBackend::copy(const TensorView& x, const TensorView& y) {
  const int64_t rows = x.rows(), cols = x.cols();
  if (rows * cols == 0) return;
  if (x.dtype == y.dtype && x.contiguous() && y.contiguous()) {
    const size_t bytes = static_cast<size_t>(rows * cols) * size_of(x.dtype);
    return check_cuda(cudaMemcpyAsync(y.data, x.data, bytes, cudaMemcpyDeviceToDevice, stream()), "a copy");
  }
  const auto is_activation = [](const TensorView& t) { return t.dtype == DType::kF32 || t.dtype == DType::kBF16; };
  if (is_activation(x) && is_activation(y)) return scale(x, 1, false, y);
  for_each_element(stream(), {x, y}, Convert{x.dtype, y.dtype, x.data, x.row_stride, y.data, y.row_stride});
}

void CudaBackend::fill(const TensorView& y, double value) {
  Number number;
  number.is_real = y.dtype == DType::kF32 || y.dtype == DType::kBF16 || y.dtype == DType::kF16;
  if (number.is_real) number.real = static_cast<float>(value);
  else number.integer = static_cast<int64_t>(value);
  std::array<std::byte, 8> element{};
  store_number(number, y.dtype, element.data(), 0);
  switch (size_of(y.dtype)) {
    case 1: return fill_with<uint8_t>(stream(), y, element.data());
    case 2: return fill_with<uint16_t>(stream(), y, element.data());
    case 4: return fill_with<uint32_t>(stream(), y, element.data());
    default: return fill_with<uint64_t>(stream(), y, element.data());
  }
}

}  // namespace heed::cuda
