// An oracle for beam search: Hugging Face's algorithm (transformers 5, generation/utils.py: _beam_search) for one
// input, step for step as it stands there: whole-vocabulary scores, placeholders of -1e9, fixed-size tables. Slow.
#pragma once

#include "heed/decode/options.h"
#include "toy_generator.h"

namespace heed::testing {

// `prompt` is the sequence before the first new token; max_length that of the sequence. The n_best finished outputs,
// new tokens only, best first.
std::vector<decode::Hypothesis> reference_beam_search(const ToyGenerator& model, std::span<const int32_t> input,
                                                      const Ids& prompt, int64_t max_length,
                                                      const decode::Options& options);

}  // namespace heed::testing
