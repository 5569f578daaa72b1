// Byte pair encoding as SentencePiece has it (Sennrich et al., ACL 2016, on characters, without word boundaries): from
// single characters on, the neighbours whose joined text is the piece of the highest score are merged, the leftmost
// first among equals, until no neighbours join to a piece. User-defined symbols are never merged. A piece of type
// unused may be passed through but is split again at the end.
//
// Ids are those of libsentencepiece. n characters take O(n log n) time through a heap of candidate merges.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "heed/text/segmenter.h"

namespace heed::text {

class Bpe : public Segmenter {
 public:
  explicit Bpe(const Pieces& pieces);

  void segment(std::string_view text, std::vector<Segment>& out) const override;

  // BPE-dropout (Provilkov et al., ACL 2020): each merge is skipped with probability alpha.
  void sample(std::string_view text, const Sampling& sampling, Random& random,
              std::vector<Segment>& out) const override;

 private:
  class Run;

  const Pieces& pieces_;
  std::vector<uint32_t> ranks_;  // by id: 0 for the highest score, equal for equal scores; kNoRank: cannot be merged to
  bool any_unused_ = false;
};

}  // namespace heed::text
