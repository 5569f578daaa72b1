// A small English-Chinese grammar that ships with the program, for a first training that needs no download.
//
// It draws sentences about people, things, places and times: statements, negations, questions, past, future and
// wishes, comparisons, numbers with measure words. An English sentence has one translation, always the same; the
// Chinese is written with spaces between words, so that everyday metrics count words. Pure functions.
#pragma once

#include <string>

#include "heed/base/random.h"

namespace heed::cli {

struct SentencePair {
  std::string english, chinese;
  bool operator==(const SentencePair&) const = default;
};

// One sentence, drawn by `random`: the same on every machine.
SentencePair draw_sentence(Random& random);

}  // namespace heed::cli
