// Buffers that a thread keeps from one text to the next, so that encoding allocates nothing per text, are given back
// once a huge text has made them large.
#pragma once

#include <cstddef>

namespace heed::text {

inline constexpr size_t kKeptScratchBytes = size_t{4} << 20;

// Frees the memory of `buffer` (a vector or string) if it holds more than is worth keeping.
template <class Buffer>
void release_if_large(Buffer& buffer) {
  if (buffer.capacity() * sizeof(typename Buffer::value_type) > kKeptScratchBytes) Buffer().swap(buffer);
}

}  // namespace heed::text
