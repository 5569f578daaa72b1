// Named sizes of the encoder-decoder.
#pragma once

#include <string>
#include <vector>

#include "heed/models/encoder_decoder.h"

namespace heed::tasks {

// "tiny" (4+4 layers, 128, ffn 256, 4 heads), "small" (6+6, 256, 1024, 4), "base" (6+6, 512, 2048, 8) and "big" (6+6,
// 1024, 4096, 16): the last two are table 3's of Vaswani et al. 2017. Vocabulary and special ids are the caller's.
models::EncoderDecoderConfig preset_structure(const std::string& name);  // throws UsageError for an unknown name
std::vector<std::string> preset_names();

}  // namespace heed::tasks
