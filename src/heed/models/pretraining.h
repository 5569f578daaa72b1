// How families are usually pretrained.
#pragma once

#include <string>

namespace heed::models {

// Whether an encoder-decoder is pretrained by writing the spans that were taken out of a text, each behind its sentinel
// (Raffel et al. 2020, section 3.1.4), rather than by writing the whole text (Lewis et al. 2020, section 2.2).
bool pretrains_on_spans(const std::string& family);

}  // namespace heed::models
