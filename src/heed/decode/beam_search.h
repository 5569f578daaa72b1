// Beam search for a batch of inputs at once. Inputs whose search has ended leave the batch, so the work shrinks.
#pragma once

#include <vector>

#include "heed/decode/hypothesis.h"
#include "heed/decode/options.h"
#include "heed/decode/prompt.h"
#include "heed/models/interface.h"

namespace heed::decode {

// `state` has one row per prompt and has been fed nothing. The result holds each input's hypotheses, best first, and
// does not depend on the inputs beside it.
std::vector<std::vector<Hypothesis>> beam_search(models::DecodingState& state, const std::vector<Prompt>& prompts,
                                                 const Options& options, const Stream& stream);

}  // namespace heed::decode
