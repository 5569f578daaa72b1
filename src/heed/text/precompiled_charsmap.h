// SentencePiece's precompiled map from character sequences to their normalised form, as it stands in `.model` files
// and in tokenizer.json's `Precompiled` normaliser.
//
// Layout: u32 size of the trie in bytes; the trie, a Darts double array of u32 units (github.com/s-yata/darts-clone:
// bit 31 marks a leaf whose low 31 bits are its value; else bits 0-7 are the label, bit 8 says that a leaf follows,
// bits 10-30 are the offset to the children, times 256 if bit 9 is set); then the normalised strings, each ended by
// NUL, which the leaves' values point into. The map is untrusted: construction checks every unit, so that no look-up
// can leave the trie or the strings. Immutable, hence thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace heed::text {

class PrecompiledCharsMap {
 public:
  // A rule that applies at the head of a text: how many bytes it takes (0: there is no rule) and what stands instead.
  struct Match {
    size_t length = 0;
    std::string_view replacement;
  };

  // Without rules.
  PrecompiledCharsMap() = default;

  // Takes a copy of `blob`; an empty one is a map without rules. `name` is what messages call its source. Throws
  // FormatError.
  PrecompiledCharsMap(std::string_view blob, const std::string& name);

  bool empty() const { return units_.empty(); }

  // The longest rule whose left side (at most 256 bytes) `text` begins with.
  Match longest_match(std::string_view text) const;

  // The shortest rule, which is what `tokenizers` looks for.
  Match shortest_match(std::string_view text) const;

  // Whether any rule begins with `first`, an ASCII character, and is that character alone or goes on with an ASCII
  // one. Where this is false and the next character is ASCII, no rule applies.
  bool has_ascii_rule(unsigned char first) const;

 private:
  static constexpr uint32_t kNone = 0xFFFFFFFF;
  // Where the children of `unit` begin.
  uint32_t children(uint32_t unit) const;
  // The unit reached from the children's base by `byte`, or kNone.
  uint32_t step(uint32_t base, unsigned char byte) const;
  void check_units(const std::string& name) const;

  std::vector<uint32_t> units_;
  std::string strings_;
};

}  // namespace heed::text
