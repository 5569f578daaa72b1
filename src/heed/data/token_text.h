// A text as one stream of tokens, one document behind the other, for models of running text.
//
// Before each document stands what the tokenizer puts before a text (a begin token, if it has one), if that is wanted;
// between two documents stands the end token. A document of more than 1 MiB is encoded in parts, cut between two words,
// so that memory stays bounded; tokenizers that split text at words give the same tokens.
//
// The result is a pure function of text, tokenizer and options, whatever the number of threads. With a cache folder it
// is kept there, and used again while the files (by size and time, or, where the time differs, by their hash), the
// tokenizer and the options are the same.
#pragma once

#include "heed/data/text_source.h"
#include "heed/data/token_stream.h"
#include "heed/text/tokenizer.h"

namespace heed::data {

struct TokenTextOptions {
  bool end_token = true;          // between documents; if the tokenizer has none there is none
  std::filesystem::path cache{};  // folder; empty: the tokens are kept in memory
  std::string tokenizer{};        // what tells the tokenizer from any other; for the cache alone
  bool begin_token = true;        // what the tokenizer puts before a text
  bool word_marks = false;        // instead of ids: 2 id + 1 where a word begins, else 2 id
  bool document_marks = false;    // between documents: document_mark() instead of the end token
};

// What is none of the tokens that a text of these options has, whatever is written in it: a text may well hold
// "</s>".
int32_t document_mark(const text::Tokenizer& tokenizer, const TokenTextOptions& options);

// Uses as many threads as kernels would. Throws what the source throws, DataError naming the place of a text that the
// tokenizer refuses, and IoError.
TokenStream encode_text(const TextSource& text, const text::Tokenizer& tokenizer, const TokenTextOptions& options);

// The token that ends a document: the tokenizer's end token, or what it puts behind a text; -1 if it has neither.
int32_t end_token_of(const text::Tokenizer& tokenizer);

// What a tokenizer puts around a text.
struct TextFrame {
  std::vector<int32_t> before, behind;
  size_t size() const { return before.size() + behind.size(); }
};
TextFrame frame_of(const text::Tokenizer& tokenizer);

}  // namespace heed::data
