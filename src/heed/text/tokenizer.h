// What all tokenizers have in common: text to the ids a model takes, and back. Implementations are immutable, hence
// thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace heed::text {

// A part of a text, in Unicode code points: [begin, end).
struct CharacterSpan {
  uint32_t begin = 0, end = 0;
  bool operator==(const CharacterSpan&) const = default;
};

// A text, or a pair of texts, as a model takes it. All vectors are as long as `ids`.
struct TokenizedText {
  std::vector<int32_t> ids;
  std::vector<int32_t> types;             // token types: by most tokenizers 1 for the second text of a pair, else 0
  std::vector<CharacterSpan> characters;  // of the token's own text; empty for tokens that the tokenizer added
  std::vector<int32_t> words;             // which word of its text the token belongs to; -1: added by the tokenizer
  std::vector<int8_t> texts;              // 0 or 1: which text the token comes from; -1: added by the tokenizer
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The ids of `text`, with the special tokens that the model expects around them.
  virtual std::vector<int32_t> encode(std::string_view text) const { return tokenize(text).ids; }

  // The same with all that is known of each token. `special`: whether the tokens that the model expects around a text
  // are added.
  virtual TokenizedText tokenize(std::string_view text, bool special = true) const = 0;
  // A pair of texts, joined as the model expects it (sentence pairs; question and context).
  virtual TokenizedText tokenize_pair(std::string_view first, std::string_view second, bool special = true) const = 0;
  // A text that comes as words (tagging): `words` of the result are places in `text`, `characters` are of each word.
  virtual TokenizedText tokenize_words(std::span<const std::string> text, bool special = true) const = 0;

  // Where a text is translated into another: the ids of the target text, and the token of an id of the source text.
  // Most tokenizers have one vocabulary for both sides.
  virtual std::vector<int32_t> encode_target(std::string_view text) const { return encode(text); }
  virtual std::string source_token(int32_t id) const { return token(id); }

  // The text of ids that a model gave; special tokens are left out or written by name.
  virtual std::string decode(std::span<const int32_t> ids, bool skip_special = true) const = 0;

  // One more than the highest id.
  virtual int32_t vocab_size() const = 0;

  // The token of an id in [0, vocab_size()). Throws UsageError outside.
  virtual std::string token(int32_t id) const = 0;
  // The id of exactly this token; -1: there is none.
  virtual int32_t id(std::string_view token) const = 0;

  // -1: the tokenizer has no such token.
  virtual int32_t bos_id() const { return -1; }
  virtual int32_t eos_id() const = 0;
  virtual int32_t pad_id() const = 0;
  virtual int32_t unk_id() const = 0;
  virtual int32_t cls_id() const { return -1; }
  virtual int32_t sep_id() const { return -1; }
  virtual int32_t mask_id() const { return -1; }
};

// The tokenizer of a model folder, from whichever files it has. Throws IoError, FormatError, ConfigError; FormatError
// naming the files that were looked for if it has none.
std::shared_ptr<const Tokenizer> load_tokenizer(const std::filesystem::path& folder);

}  // namespace heed::text
