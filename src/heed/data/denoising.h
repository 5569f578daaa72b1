// What sequence-to-sequence models are pretrained on: a text with parts of it hidden, and what they shall make of it.
//
// Spans (Raffel et al. 2020, section 3.1.4, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text
// Transformer"): the text falls into spans that stay and spans that go, by turns; a sentinel token stands for each that
// goes, and the target is the sentinels, each with what it stands for.
// Infilling (Lewis et al. 2020, section 2.2, "BART"): sentences change places, spans of Poisson length become one mask
// token each, or, where they have no length, get one between two tokens; the target is the text itself.
// Pure functions of their arguments and the random stream; thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "heed/base/random.h"

namespace heed::data {

struct SpanNoise {
  double density = 0.15;           // share of the tokens that go
  double mean_length = 3;          // of the spans that go
  std::vector<int32_t> sentinels;  // in the order of their use; there are no more spans than sentinels
};

struct Infilling {
  double density = 0.3;    // share of the tokens that are hidden
  double mean_length = 3;  // of the spans (lambda)
  bool permute = true;     // sentences
  int32_t mask_id = -1;
  std::vector<bool> ends;  // by id: whether the token ends a sentence
};

// A text as it goes in and as it shall come out, both without what a model wants around them.
struct NoisyText {
  std::vector<int32_t> source, target;
};

// Of at least two tokens at least one goes and one stays; a single one goes.
NoisyText corrupt_spans(std::span<const int32_t> ids, const SpanNoise& noise, Random& random);

// The source is never longer than the text: masks between tokens are as many at most as spans have saved.
NoisyText infill(std::span<const int32_t> ids, const Infilling& noise, Random& random);

}  // namespace heed::data
