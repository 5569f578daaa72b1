// The models of tokenizer.json, which cut a piece into tokens: BPE, Unigram, WordLevel, WordPiece, with the tokens and
// ids of the Hugging Face library `tokenizers`. Immutable but for the cache of words that each thread has; thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "heed/text/json_part.h"
#include "heed/text/vocabulary.h"
#include "heed/text/word_cache.h"

namespace heed::text::pipeline {

class Model {
 public:
  virtual ~Model() = default;

  // Appends the tokens of `piece` (valid UTF-8, not empty).
  void tokenize(std::string_view piece, std::vector<Token>& out) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }

  // The token of an id, or nullptr.
  virtual const std::string* token(int32_t id) const { return vocabulary_.token(id); }

  // How many tokens there are, which is the first id of added tokens.
  virtual size_t count() const { return vocabulary_.count(); }

  // Writes what is left out of the document while it is kept ("vocab", "merges") back into `model`.
  virtual void write(Json& model) const;

  // Whether the tokenizer cleans up spaces after this model where it is asked to (transformers: not for BPE).
  virtual bool allows_clean_up() const { return true; }

 protected:
  // Appends the tokens of `word`, their places counted from `offset`.
  virtual void segment(std::string_view word, uint32_t offset, std::vector<Token>& out) const = 0;

  // Pieces that are longer than cached words are given to this: it may cut them into words that do not depend on each
  // other, and hand those to tokenize_word().
  virtual void tokenize_long(std::string_view piece, std::vector<Token>& out) const { segment(piece, 0, out); }

  void tokenize_word(std::string_view word, uint32_t offset, std::vector<Token>& out) const;

  Vocabulary vocabulary_;

 private:
  uint32_t number_ = WordCache::new_model();
};

// Throws FormatError that names the part.
std::unique_ptr<Model> make_model(const JsonPart& part);
std::unique_ptr<Model> make_bpe(const JsonPart& part);
std::unique_ptr<Model> make_unigram(const JsonPart& part);
std::unique_ptr<Model> make_wordpiece(const JsonPart& part);
std::unique_ptr<Model> make_wordlevel(const JsonPart& part);

// The object of tokens and ids under `part`.
Vocabulary read_vocabulary(const JsonPart& part);

// No token that is looked for at each place of a text is longer, so that time is linear in the text.
inline constexpr size_t kMaxTokenBytes = 1024;

// The name of a byte's token for byte fallback, "<0x0A>".
std::string byte_token(unsigned char byte);

}  // namespace heed::text::pipeline
