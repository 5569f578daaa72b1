// Where the pieces of a normalised text come from in the text before it was normalised, for normalisers that keep no
// account of it: if both have the same number of words, word stands for word, and within a word that is the same in
// both, character for character.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace heed::text {

class WordAlignment {
 public:
  // In code points of the original, and which word.
  struct Place {
    uint32_t begin, end;
    int32_t word;
  };

  // The words of `original` are parted by white space, those of `normalized` by U+2581. Both are referred to.
  WordAlignment(std::string_view original, std::string_view normalized);

  // The place of `part`, which is a part of `normalized`; of the whole original, if it is anything else.
  Place find(std::string_view part) const;

  int32_t words() const { return static_cast<int32_t>(words_.size()); }

 private:
  struct Word {
    std::string_view text;  // in the normalised text
    uint32_t begin, end;    // in the original, in code points
    bool same;              // the texts are the same
  };
  std::string_view normalized_;
  uint32_t length_ = 0;  // of the original, in code points
  std::vector<Word> words_;
};

}  // namespace heed::text
