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
// changes logits but for the sampling filters top-k, top-p and min-p, no hook on every token; and of each row at most
// 64 likeliest tokens are looked at: what top-k or the beam needs (2 beam, or more with several end tokens) and as many
// as never come or may come too early. Else the host follows every step.
bool searches_on_device(const std::vector<Prompt>& prompts, const Options& options, const Stream& stream);

// What beam_search() and greedy_or_sample() give for the same arguments, but for samples where tokens are exactly as
// likely (at the edge of top-k only k count, at that of top-p the lower ids do) or the last bit of an exponential
// decides, and for scores of forced tokens that the model thinks impossible, which stay finite.
std::vector<std::vector<Hypothesis>> search_on_device(models::DecodingState& state, const std::vector<Prompt>& prompts,
                                                      const Options& options, std::span<const uint64_t> examples,
                                                      const Stream& stream);

}  // namespace heed::decode
