// Tokenizers of folders without tokenizer.json, as the document that a tokenizer.json would be:
//
//   vocab.json, merges.txt   byte-level BPE of GPT-2; of RoBERTa and BART (which put <s> and </s> around a text)
//   vocab.txt                WordPiece of BERT and DistilBERT
//   spiece.model             T5: a SentencePiece unigram model and the tokens <extra_id_0> … behind it
//   tokenizer.model          Llama 1 and 2: a SentencePiece BPE model with bytes for what it does not know
//
// Which family it is says tokenizer_config.json's tokenizer_class, else config.json's model_type; what else
// tokenizer_config.json says (special tokens, do_lower_case, add_prefix_space, legacy, …) is honoured as transformers 5
// does. Pure but for reading the files.
#pragma once

#include <filesystem>
#include <optional>

#include "heed/base/json.h"

namespace heed::text {

struct TokenizerDocument {
  Json tokenizer;  // as tokenizer.json
  Json config;     // as tokenizer_config.json, with the family's special tokens where it names none
};

// Nothing if the folder has none of these files. Throws IoError, FormatError; ConfigError for a family whose files are
// not understood.
std::optional<TokenizerDocument> read_tokenizer_files(const std::filesystem::path& folder);

}  // namespace heed::text
