// From inputs to outputs: the entry point of decoding.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "heed/base/ragged.h"
#include "heed/decode/hypothesis.h"
#include "heed/decode/options.h"
#include "heed/models/interface.h"

namespace heed::decode {

// Decodes the inputs together, by greedy search, sampling or beam search as the options say. For each input: at most
// n_best hypotheses and at least one; the best first, samples in the order of their numbers. What an input gives does
// not depend on the inputs beside it. `example_indices` numbers the inputs for the random draws of sampling; if empty,
// they are numbered from 0. Throws UsageError for options that do not fit the model or the inputs, and what the model
// throws. Thread-safe for one generator: each call has its own state.
std::vector<std::vector<Hypothesis>> decode_batch(const models::Generator& generator, const Ragged& inputs,
                                                  const Options& options,
                                                  std::span<const uint64_t> example_indices = {},
                                                  const Stream& stream = {});

}  // namespace heed::decode
