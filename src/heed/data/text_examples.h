// Examples of at most so many tokens, cut out of a stream of tokens: each document for itself (in several parts if it
// is longer), or all of them packed one behind the other, whatever document they belong to.
//
// Packed examples are whole but for the last, and cut anew in each epoch as TokenBlocks are. A pure function of its
// arguments; thread-safe.
#pragma once

#include <optional>
#include <vector>

#include "heed/data/token_blocks.h"
#include "heed/data/token_stream.h"

namespace heed::data {

class TextExamples {
 public:
  using Part = TokenBlocks::Part;  // tokens [begin, end) of the stream

  // `most`: tokens of an example. `end`: what stands between documents in the stream and nowhere else; it belongs to no
  // example. Throws DataError if there is no token.
  static TextExamples packed(const TokenStream& stream, uint32_t most, uint64_t seed);
  static TextExamples by_document(const TokenStream& stream, uint32_t most, int32_t end);

  size_t size() const { return blocks_ ? static_cast<size_t>(blocks_->count()) : parts_.size(); }
  // Tokens that an example has in no epoch more than.
  std::vector<uint32_t> lengths() const;
  // What example i < size() holds: one part, or two that do not belong together.
  std::vector<Part> parts(uint64_t epoch, size_t i) const;

 private:
  TextExamples() = default;

  std::optional<TokenBlocks> blocks_;
  uint32_t most_ = 0;
  std::vector<Part> parts_;
};

}  // namespace heed::data
