// What a Marian folder's tokenizer_config.json (and, in folders of transformers 4 and older, special_tokens_map.json)
// says: the special tokens and the added tokens. The files are untrusted.
#pragma once

#include <string>
#include <vector>

#include "heed/base/json.h"
#include "heed/text/added_tokens.h"

namespace heed::text {

// The texts of the special tokens: the three that every Marian tokenizer has, and all that are named.
struct SpecialTokens {
  std::string unk = "<unk>", eos = "</s>", pad = "<pad>";
  std::vector<std::string> others;

  // Takes what `config` names. `name` is the file, for messages. Throws FormatError.
  void read(const Json& config, const std::string& name);

  // Eos, unk, pad, then the others; each once.
  std::vector<std::string> all() const;
};

// The entries of added_tokens_decoder, without `special`. Throws FormatError; ConfigError for what Heed does not
// support.
std::vector<AddedToken> read_added_tokens(const Json& config, const std::string& name);

// The flag `key`, false if it is not there. Throws FormatError.
bool read_flag(const Json& config, const char* key, const std::string& name);

// A tokenizer_config.json for a new tokenizer with transformers' names of the special tokens. An empty language is
// written as null.
Json make_marian_config(bool separate_vocabs, const std::string& source_language, const std::string& target_language,
                        int32_t eos, int32_t unk, int32_t pad);

}  // namespace heed::text
