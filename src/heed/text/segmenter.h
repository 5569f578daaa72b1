// Cutting a normalised text into pieces: the interface of the unigram and BPE algorithms, and the two simple model
// types, one piece per word and one per character. Implementations are immutable, hence thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "heed/base/random.h"
#include "heed/text/pieces.h"

namespace heed::text {

// A piece in the normalised text: the bytes [begin, begin + length).
struct Segment {
  uint32_t begin;
  uint32_t length;
  int32_t id;
};

// How to draw a segmentation (subword regularisation).
struct Sampling {
  double alpha = 0.1;   // unigram: inverse temperature of the segmentations' probabilities; BPE: dropout probability
  int nbest_size = -1;  // unigram: draw from this many best segmentations, 0 or 1: take the best, negative: from all
};

class Segmenter {
 public:
  virtual ~Segmenter() = default;

  // Appends the best segmentation of `text` (below 2 GiB) to `out`; the segments join up to the text.
  virtual void segment(std::string_view text, std::vector<Segment>& out) const = 0;

  // Appends one drawn by `random`, a pure function of text, sampling and the state of `random`. Throws UsageError where
  // the model type cannot sample.
  virtual void sample(std::string_view text, const Sampling& sampling, Random& random,
                      std::vector<Segment>& out) const = 0;
};

// The one for the model's type. Keeps a reference to `pieces`.
std::unique_ptr<Segmenter> make_segmenter(const Pieces& pieces);

}  // namespace heed::text
