// The memory of a GPU: a caching allocator, and pinned memory that small arrays travel through.
#pragma once

#include <cuda_runtime.h>

#include <array>
#include <cstddef>
#include <mutex>
#include <vector>

#include "heed/cuda/size_class.h"

namespace heed::cuda {

// Blocks are kept by size class and given out again; the system gets them back when it has no more to give, or by
// release_unused(). All users are kernels of one stream, so a block that was given back may be given out at once.
// Thread-safe.
class Allocator {
 public:
  void* allocate(size_t bytes);  // throws MemoryError
  void deallocate(void* data, size_t bytes) noexcept;
  void release_unused();
  size_t in_use() const;

 private:
  void* from_system(size_t bytes);
  void return_cached();
  [[noreturn]] void fail_for_want_of(size_t bytes) const;

  mutable std::mutex mutex_;
  std::array<std::vector<void*>, kSizeClasses> free_;
  std::array<size_t, kSizeClasses> blocks_in_use_{};
  size_t in_use_ = 0, cached_ = 0;
};

// A ring of pinned memory in two halves: one is filled while the copies from the other may still be under way, so that
// the host need not wait for them. Thread-safe.
class PinnedRing {
 public:
  PinnedRing();
  PinnedRing(const PinnedRing&) = delete;
  PinnedRing& operator=(const PinnedRing&) = delete;
  ~PinnedRing();
  // Copies to the device, on the stream; `host` may be written over at once.
  void copy(const void* host, size_t bytes, void* device, cudaStream_t stream);

 private:
  static constexpr size_t kHalf = size_t{4} << 20;
  std::mutex mutex_;
  std::byte* memory_ = nullptr;
  std::array<cudaEvent_t, 2> left_{};  // what was copied from this half when it was left
  int half_ = 0;
  size_t used_ = 0;
};

}  // namespace heed::cuda
