#include "heed/data/idx.h"

#include <algorithm>
#include <array>

#include "heed/base/error.h"
#include "heed/text/byte_source.h"

namespace heed::data {
namespace {

constexpr int kUnsignedByte = 8;
constexpr uint32_t kMaxSide = 1 << 14, kMaxCount = 1 << 30;
constexpr size_t kMaxBytes = size_t{1} << 36, kChunk = size_t{1} << 20;

// Reads up to `size` bytes behind `bytes`; fewer at the end.
void append(text::ByteSource& source, std::vector<uint8_t>& bytes, size_t size) {
  std::array<char, 1 << 16> buffer;
  while (size > 0) {
    const size_t got = source.read(std::span(buffer).first(std::min(size, buffer.size())));
    if (got == 0) return;
    if (bytes.capacity() - bytes.size() < got) bytes.reserve(bytes.size() + std::max(bytes.size() / 2, kChunk));
    bytes.insert(bytes.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(got));
    size -= got;
  }
}

struct Array {
  std::vector<uint32_t> dims;
  std::vector<uint8_t> values;
};

Array read_array(const std::string& file, size_t rank) {
  const auto source = text::open_bytes(file);
  std::vector<uint8_t> header;
  append(*source, header, 4 + 4 * rank);
  check<DataError>(header.size() >= 4 && header[0] == 0 && header[1] == 0, "{}: not an IDX file", file);
  check<DataError>(header[2] == kUnsignedByte, "{}: elements of type {}; unsigned bytes (type {}) are supported", file,
                   header[2], kUnsignedByte);
  check<DataError>(header[3] == rank, "{}: {} dimensions; {} were expected", file, header[3], rank);
  check<DataError>(header.size() == 4 + 4 * rank, "{}: the file is cut off", file);
  Array array;
  uint64_t size = 1;
  for (size_t at = 4; at < header.size(); at += 4) {
    uint32_t dim = 0;
    for (size_t i = 0; i < 4; ++i) dim = dim << 8 | header[at + i];
    check<DataError>(dim <= (at == 4 ? kMaxCount : kMaxSide), "{}: a dimension of {}", file, dim);
    array.dims.push_back(dim);
    size *= dim;  // at most 2^58
  }
  check<DataError>(size <= kMaxBytes, "{}: {} elements are more than are supported", file, size);
  append(*source, array.values, size + 1);
  check<DataError>(array.values.size() >= size, "{}: the file is cut off: {} of {} elements", file, array.values.size(),
                   size);
  check<DataError>(array.values.size() == size, "{}: more bytes than the {} elements of its header", file, size);
  return array;
}

}  // namespace

Image IdxImages::image(int i) const {
  const size_t area = static_cast<size_t>(height) * static_cast<size_t>(width);
  const auto begin = pixels.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(i) * area);
  return {width, height, 1, std::vector<uint8_t>(begin, begin + static_cast<std::ptrdiff_t>(area))};
}

IdxImages read_idx_images(const std::string& file) {
  Array array = read_array(file, 3);
  check<DataError>(array.dims[1] > 0 && array.dims[2] > 0, "{}: images of {} x {} pixels", file, array.dims[2],
                   array.dims[1]);
  return {static_cast<int>(array.dims[0]), static_cast<int>(array.dims[1]), static_cast<int>(array.dims[2]),
          std::move(array.values)};
}

std::vector<uint8_t> read_idx_labels(const std::string& file) { return read_array(file, 1).values; }

}  // namespace heed::data
