// A text's tokens on their way through truncation and post-processing.
#pragma once

#include <cstdint>
#include <vector>

#include "heed/text/tokenizer.h"

namespace heed::text::pipeline {

struct Encoding : TokenizedText {
  // White space characters at the ends of each token's text; only for post-processors that trim them.
  struct Spaces {
    uint32_t leading = 0, trailing = 0;
  };
  std::vector<Spaces> spaces;
  bool only_ids = false;  // all other vectors stay empty

  // A token that the tokenizer adds.
  void add_special(int32_t id, int32_t type, bool with_spaces) {
    ids.push_back(id);
    if (only_ids) return;
    types.push_back(type);
    characters.push_back({});
    words.push_back(-1);
    texts.push_back(-1);
    if (with_spaces) spaces.push_back({});
  }

  // The tokens [begin, end).
  Encoding slice(size_t begin, size_t end) const;
  void append(const Encoding& other);
};

}  // namespace heed::text::pipeline
