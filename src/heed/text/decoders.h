// The decoders of tokenizer.json, which make text of tokens: BPEDecoder, ByteFallback, ByteLevel, Fuse, Metaspace,
// Replace, Sequence, Strip, WordPiece. Immutable, hence thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "heed/text/json_part.h"

namespace heed::text::pipeline {

class Decoder {
 public:
  virtual ~Decoder() = default;
  // Rewrites the tokens; joined, what is left is the text.
  virtual void apply(std::vector<std::string>& tokens) const = 0;
};

// Throws FormatError that names the part.
std::unique_ptr<Decoder> make_decoder(const JsonPart& part, int depth = 0);

// transformers' clean_up_tokenization: removes spaces before punctuation and contractions. `do_not`: also turns
// " do not" to " don't", as the WordPiece decoder of `tokenizers` does.
void clean_up_spaces(std::string& text, bool do_not);

}  // namespace heed::text::pipeline
