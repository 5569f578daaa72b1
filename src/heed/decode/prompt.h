// What stands before the first token that is searched for, one Prompt per input of a batch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "heed/decode/options.h"
#include "heed/models/interface.h"

namespace heed::decode {

struct Prompt {
  std::vector<int32_t> ids;   // the sequence before the first new token: start token or prompt, then the forced prefix
  int64_t prefix_length = 0;  // of the forced prefix, at the end of `ids`
  int64_t max_length = 0;     // that the sequence may reach; greater than the length of `ids`

  int64_t length() const { return static_cast<int64_t>(ids.size()); }
  // The tokens that DecodingState::step is still to be fed: the first token and the forced prefix.
  std::span<const int32_t> fed() const { return std::span(ids).last(static_cast<size_t>(prefix_length) + 1); }
  // The forced prefix.
  std::span<const int32_t> prefix() const { return std::span(ids).last(static_cast<size_t>(prefix_length)); }
};

// Throws UsageError if an input with its prefix leaves no room for a new token, or target_prefix has a number of rows
// that fits nothing.
std::vector<Prompt> make_prompts(const models::Generator& generator, const Ragged& inputs, const Options& options);

}  // namespace heed::decode
