// Search where the model computes on a GPU: beam search, greedy search and sampling go on there by themselves, so that
// the host launches steps ahead of it and looks at what has come about once in several of them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "heed/decode/hypothesis.h"
#include "heed/decode/options.h"
#include "heed/decode/prompt.h"
#include "heed/models/interface.h"

namespace heed::decode {

// Whether search_on_device() knows what the options ask: no forced prefix, no processor that reads the ids so far or
// changes logits but for the sampling filters top-k (of at most 64), top-p and min-p, no hook on every token. Else the
// host follows every step.
bool searches_on_device(const std::vector<Prompt>& prompts, const Options& options, const Stream& stream);

// What beam_search() and greedy_or_sample() give for the same arguments. Of samples, ids that are as likely as the k-th
// one do not count.
std::vector<std::vector<Hypothesis>> search_on_device(models::DecodingState& state, const std::vector<Prompt>& prompts,
                                                      const Options& options, std::span<const uint64_t> examples,
                                                      const Stream& stream);

}  // namespace heed::decode
