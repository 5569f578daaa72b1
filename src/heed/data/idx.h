// IDX files: the format of MNIST and its successors (LeCun, Cortes, Burges, "The MNIST database", file formats).
//
//   bytes 0, 0, type, rank; each dimension as a 32-bit big-endian number; the elements, the last dimension fastest
//
// plain, gzip or zstd. Only unsigned bytes (type 8) are read: images of rank 3, labels of rank 1. Memory grows with the
// bytes that are there, not with what the header claims. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "heed/data/image.h"

namespace heed::data {

struct IdxImages {
  int count = 0, height = 0, width = 0;
  std::vector<uint8_t> pixels;  // [count, height, width]

  Image image(int i) const;  // grey
};

// Throw DataError naming the file: not IDX, another type or rank, shorter or longer than its header says.
IdxImages read_idx_images(const std::string& file);
std::vector<uint8_t> read_idx_labels(const std::string& file);

}  // namespace heed::data
