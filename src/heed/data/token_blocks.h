// Blocks of a token stream, which causal language models are trained on: in each epoch every token but the first is
// predicted once, from at most `block` tokens before it.
//
// The places of a stream of n tokens, i predicting token i + 1, are laid into a ring of whole blocks (the last places
// of the ring may be empty), which is cut at multiples of `block` from an offset that each epoch draws anew: so a token
// stands at another place of another block in each epoch. A pure function of size, block, seed and epoch; thread-safe.
#pragma once

#include <cstdint>
#include <vector>

namespace heed::data {

class TokenBlocks {
 public:
  // Places [begin, end) of the stream: the tokens begin … end - 1 go in, begin + 1 … end are predicted.
  struct Part {
    uint64_t begin = 0, end = 0;
    bool operator==(const Part&) const = default;
  };

  // `tokens`: of the stream. Throws DataError if it has fewer than 2 of them, or more than 2^32 - 1 blocks.
  TokenBlocks(uint64_t tokens, uint32_t block, uint64_t seed);

  // How many there are, the same in every epoch.
  uint64_t count() const { return count_; }
  // What block i < count() holds: one part, or two where it lies across the stream's end.
  std::vector<Part> parts(uint64_t epoch, uint64_t i) const;

 private:
  uint64_t places_;  // that predict
  uint64_t block_, seed_, count_;
};

}  // namespace heed::data
