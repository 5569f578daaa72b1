// Resizing as Pillow's Image.resize does it, bit for bit, for 8-bit channels.
//
// All filters but nearest are convolutions in two passes, each rounded to 8 bits, the horizontal one first unless far
// more rows than columns are lost (as of Pillow 13; earlier versions differ there by a grey level or so). Output pixel
// x averages the input around (x + 0.5) scale with the filter stretched by the scale where the image shrinks (so that
// every input pixel counts), its weights normalised to sum 1 and rounded to 22 binary digits.
#pragma once

#include "heed/data/image.h"

namespace heed::data {

// With Pillow's numbers, which preprocessor_config.json holds under "resample".
enum class Resample { kNearest = 0, kLanczos = 1, kBilinear = 2, kBicubic = 3, kBox = 4, kHamming = 5 };

// The image at another size; both sides must be at least 1.
Image resize(const Image& image, int height, int width, Resample filter);

}  // namespace heed::data
