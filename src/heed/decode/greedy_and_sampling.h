// Search with one open output per row: the likeliest token each time, or samples. Outputs that have ended leave the
// batch, so the work shrinks.
//
// As in Hugging Face's `generate`, the processors see the model's logits here, not log-probabilities as in beam search.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "heed/decode/hypothesis.h"
#include "heed/decode/options.h"
#include "heed/decode/prompt.h"
#include "heed/models/interface.h"

namespace heed::decode {

// `state` has one row per prompt and has been fed nothing; `examples` numbers the inputs for the random draws. The
// result holds one hypothesis per input, or n_best samples in the order of their numbers; with Options::scores off,
// their scores are 0. It does not depend on the inputs beside. Throws Error if the logits of a row are not numbers.
std::vector<std::vector<Hypothesis>> greedy_or_sample(models::DecodingState& state, const std::vector<Prompt>& prompts,
                                                      const Options& options, std::span<const uint64_t> examples,
                                                      const Stream& stream);

}  // namespace heed::decode
