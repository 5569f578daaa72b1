// The pre-tokenizers of tokenizer.json, with the pieces of the Hugging Face library `tokenizers`: BertPreTokenizer,
// ByteLevel, CharDelimiterSplit, Digits, Metaspace, Punctuation, Sequence, Split, UnicodeScripts, Whitespace,
// WhitespaceSplit. Immutable, hence thread-safe; linear time (Split: as its expression).
#pragma once

#include <memory>

#include "heed/text/aligned_text.h"
#include "heed/text/json_part.h"

namespace heed::text::pipeline {

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // Cuts the pieces that are no added tokens, and may rewrite them.
  virtual void apply(PieceList& list) const = 0;
  // Whether what it does depends on where a piece comes from.
  virtual bool needs_origins() const { return false; }
};

// Throws FormatError that names the part.
std::unique_ptr<PreTokenizer> make_pre_tokenizer(const JsonPart& part, int depth = 0);

}  // namespace heed::text::pipeline
