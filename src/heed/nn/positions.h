// Positional encodings (Vaswani et al. 2017, section 3.5).
#pragma once

#include "heed/tensor/tensor.h"

namespace heed::nn {

// PE(pos, 2i) = sin(pos / 10000^(2i / model)), PE(pos, 2i + 1) = cos(…): as the paper interleaves them. [length, model]
Tensor sinusoids_interleaved(int64_t length, int64_t model);

// The same numbers, all sines before all cosines, as Marian orders them. [length, model]
Tensor sinusoids_in_halves(int64_t length, int64_t model);

}  // namespace heed::nn
