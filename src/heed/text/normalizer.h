// SentencePiece's normalisation of a text before it is cut into pieces, byte for byte as libsentencepiece does it:
// from left to right, a user-defined symbol is kept as it stands, else the longest rule of the character map applies,
// else one character is copied (a byte of malformed UTF-8 becomes U+FFFD); spaces are collapsed and trimmed
// (remove_extra_whitespaces), become U+2581 (escape_whitespaces), and one is put before the text (add_dummy_prefix) or,
// with treat_whitespace_as_suffix, behind it. Immutable, hence thread-safe. Linear time.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "heed/text/precompiled_charsmap.h"
#include "heed/text/sentencepiece_model.h"
#include "heed/text/trie.h"

namespace heed::text {

class Normalizer {
 public:
  // `symbols`: the user-defined symbols, kept unnormalised (nullptr: none). `name` is what messages call the source of
  // `spec`. Throws FormatError if its character map is malformed.
  Normalizer(const NormalizerSpec& spec, bool treat_whitespace_as_suffix, std::shared_ptr<const Trie> symbols,
             const std::string& name);

  // Replaces `out` by the normalised `text`.
  void normalize(std::string_view text, std::string& out) const;
  std::string normalize(std::string_view text) const;

 private:
  // What the head of a text becomes, and how many of its bytes that takes.
  struct Step {
    std::string_view becomes;
    size_t length;
  };
  Step next(std::string_view text) const;
  void append(std::string_view characters, std::string& out) const;

  PrecompiledCharsMap map_;
  std::shared_ptr<const Trie> symbols_;
  bool add_dummy_prefix_, remove_extra_whitespaces_, whitespace_as_suffix_;
  std::string_view space_;  // what a space becomes
  // ASCII characters that stay as they are whenever an ASCII character, or nothing, follows.
  std::array<bool, 128> plain_;
};

}  // namespace heed::text
