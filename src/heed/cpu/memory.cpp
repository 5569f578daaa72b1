// The caching allocator, copies between element types, and fills.
//
// Blocks are kept in size classes (eight per power of two, so at most 12.5 % is wasted) and returned to the system only
// by release_unused(): fresh pages cost 15 times what reused ones do. Large blocks ask for huge pages. A request whose
// class has no free block takes one of the next larger classes, so that batches of ever new sizes share their blocks.
#include <malloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#include "heed/base/threads.h"
#include "heed/cpu/cpu_backend.h"

namespace heed::cpu {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kClasses = 8 * 64;
constexpr size_t kClassesAbove = 8;  // that may serve a request: blocks of at most twice its size

class CachingAllocator {
 public:
  void* allocate(size_t bytes) {
    check<MemoryError>(bytes <= size_t{1} << 46, "a block of {} bytes cannot be had", bytes);
    const auto [index, size] = size_class(bytes);
    {
      const std::lock_guard lock(mutex_);
      in_use_ += size;
      for (size_t i = index; i < std::min(index + kClassesAbove + 1, kClasses); ++i) {
        auto& free = free_[i];
        if (free.empty()) continue;
        void* data = free.back();
        if (i != index) larger_.emplace(data, i);
        free.pop_back();
        return data;
      }
    }
    return from_system(size);
  }

  void deallocate(void* data, size_t bytes) noexcept {
    const auto [index, size] = size_class(bytes);
    const std::lock_guard lock(mutex_);
    in_use_ -= size;
    const auto larger = larger_.find(data);
    auto& free = free_[larger == larger_.end() ? index : larger->second];
    if (larger != larger_.end()) larger_.erase(larger);
    try {
      free.push_back(data);
    } catch (const std::bad_alloc&) {  // no memory to remember it by
      std::free(data);
    }
  }

  void release_unused() {
    const std::lock_guard lock(mutex_);
    for (auto& blocks : free_) {
      for (void* data : blocks) std::free(data);
      blocks.clear();
    }
    ::malloc_trim(0);
  }

  size_t in_use() const {
    const std::lock_guard lock(mutex_);
    return in_use_;
  }

 private:
  struct SizeClass {
    size_t index, bytes;
  };

  // Sizes are 8..15 times a power of two, at least 512 bytes.
  static SizeClass size_class(size_t bytes) {
    const size_t wanted = std::max<size_t>(bytes, 512);
    const int shift = std::bit_width(wanted) - 4;
    const size_t eighths = (wanted + (size_t{1} << shift) - 1) >> shift;  // 8 to 16
    return {static_cast<size_t>(shift) * 8 + (eighths - 8), eighths << shift};
  }

  static void* from_system(size_t size) {
    const size_t alignment = size >= kHugePage ? kHugePage : kAlignment;
    void* data = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    check<MemoryError>(data != nullptr, "out of memory: {} bytes were wanted", size);
    if (size >= kHugePage) ::madvise(data, size, MADV_HUGEPAGE);
    return data;
  }

  mutable std::mutex mutex_;
  std::array<std::vector<void*>, kClasses> free_;
  std::unordered_map<void*, size_t> larger_;  // blocks in use for less than their class, which it is
  size_t in_use_ = 0;
};

CachingAllocator& allocator() {
  static auto* instance = new CachingAllocator;
  return *instance;
}

// Calls f with a value of the C++ type of `dtype`.
template <class F>
void with_type(DType dtype, F f) {
  switch (dtype) {
    case DType::kF32: return f(float{});
    case DType::kBF16: return f(BFloat16{});
    case DType::kF16: return f(Float16{});
    case DType::kI64: return f(int64_t{});
    case DType::kI32: return f(int32_t{});
    case DType::kI8: return f(int8_t{});
    case DType::kU8: return f(uint8_t{});
  }
}

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_arithmetic_v<To>) {
    if constexpr (std::is_arithmetic_v<From>) return static_cast<To>(value);
    else return static_cast<To>(static_cast<float>(value));
  } else {
    return To(convert<float>(value));
  }
}

}  // namespace

void* CpuBackend::allocate(size_t bytes) { return allocator().allocate(bytes); }
void CpuBackend::deallocate(void* data, size_t bytes) noexcept { allocator().deallocate(data, bytes); }
size_t CpuBackend::bytes_in_use() const { return allocator().in_use(); }
void CpuBackend::to_device(const void* host, size_t bytes, void* data) {
  if (bytes > 0) std::memcpy(data, host, bytes);
}
void CpuBackend::to_host(const void* data, size_t bytes, void* host) {
  if (bytes > 0) std::memcpy(host, data, bytes);
}
void CpuBackend::release_unused() { allocator().release_unused(); }

void CpuBackend::copy(const TensorView& x, const TensorView& y) {
  const int64_t rows = x.rows(), cols = x.cols();
  with_type(x.dtype, [&](auto from) {
    with_type(y.dtype, [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      const auto* in = static_cast<const From*>(x.data);
      auto* out = static_cast<To*>(y.data);
      parallel_for(rows, 1 + (1 << 15) / (cols + 1), [&](int64_t begin, int64_t end, int) {
        for (int64_t r = begin; r < end; ++r) {
          if constexpr (std::is_same_v<From, To>) {
            std::memcpy(out + r * y.row_stride, in + r * x.row_stride, static_cast<size_t>(cols) * sizeof(To));
          } else {
            for (int64_t c = 0; c < cols; ++c) out[r * y.row_stride + c] = convert<To>(in[r * x.row_stride + c]);
          }
        }
      });
    });
  });
}

void CpuBackend::fill(const TensorView& y, double value) {
  const int64_t rows = y.rows(), cols = y.cols();
  with_type(y.dtype, [&](auto type) {
    using T = decltype(type);
    const T element = convert<T>(value);
    auto* out = static_cast<T*>(y.data);
    parallel_for(rows, 1 + (1 << 15) / (cols + 1), [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) std::fill_n(out + r * y.row_stride, cols, element);
    });
  });
}

}  // namespace heed::cpu
