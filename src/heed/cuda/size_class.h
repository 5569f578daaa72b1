// The sizes of blocks that the caching allocator hands out: 8 to 15 times a power of two, at least 512 bytes, so that
// at most 12.5 % is wasted.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>

namespace heed::cuda {

inline constexpr size_t kSizeClasses = 8 * 64;

struct SizeClass {
  size_t index, bytes;
};

inline SizeClass size_class(size_t bytes) {
  const size_t wanted = std::max<size_t>(bytes, 512);
  const int shift = static_cast<int>(std::bit_width(wanted)) - 4;
  const size_t eighths = (wanted + (size_t{1} << shift) - 1) >> shift;  // 8 to 16
  return {static_cast<size_t>(shift) * 8 + (eighths - 8), eighths << shift};
}

}  // namespace heed::cuda
