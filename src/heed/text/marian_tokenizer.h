// The tokenizer of a Marian translation model, as transformers' MarianTokenizer: two SentencePiece models cut source
// and target text into pieces, but ids come from vocab.json (both languages; with separate_vocabs target_vocab.json has
// the target's). Text may begin with a language code, ">>de<<", which is one token; "</s>" ends every encoded text;
// what is not in the vocabulary becomes "<unk>".
//
// A folder holds source.spm, target.spm, vocab.json, (target_vocab.json,) tokenizer_config.json. Immutable and cheap to
// copy; thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "heed/base/random.h"
#include "heed/text/sentencepiece.h"
#include "heed/text/tokenizer.h"

namespace heed::text {

// The languages that a new tokenizer's tokenizer_config.json names, e.g. "en" and "de".
struct MarianLanguages {
  std::string source, target;
};

class MarianTokenizer : public Tokenizer {
 public:
  // Reads a model folder. Throws IoError, FormatError, ConfigError.
  static MarianTokenizer load(const std::filesystem::path& folder);

  // Whether the folder has the files of a Marian tokenizer.
  static bool is_in(const std::filesystem::path& folder);

  // From one freshly trained SentencePiece model (the bytes of its file) for both languages: ids are the pieces', and
  // "<pad>" gets the last one. Throws FormatError; ConfigError if the model has no "</s>" or "<unk>".
  static MarianTokenizer create_joint(std::string model, const MarianLanguages& languages);

  // From a model per language, with a vocabulary each. Both are as long as the longer one, filled up by placeholders,
  // so that "<pad>" has the last id of both. "</s>" and "<unk>" must have the same ids in both models.
  static MarianTokenizer create_separate(std::string source_model, std::string target_model,
                                         const MarianLanguages& languages);

  // Writes the folder's tokenizer files (the folder is made if it is not there). What load() read is written back with
  // all its keys. Throws IoError.
  void save(const std::filesystem::path& folder) const;

  std::vector<int32_t> encode_source(std::string_view text) const;
  std::vector<int32_t> encode_target(std::string_view text) const override;

  // With a segmentation drawn by `random` (subword regularisation), a pure function of the arguments.
  std::vector<int32_t> sample_source(std::string_view text, const Sampling& sampling, Random& random) const;
  std::vector<int32_t> sample_target(std::string_view text, const Sampling& sampling, Random& random) const;

  // The text of ids, as transformers' batch_decode has it: white space at both ends is removed, and, if the folder's
  // clean_up_tokenization_spaces says so, spaces before punctuation. Throws UsageError for ids that no token has.
  std::string decode_target(std::span<const int32_t> ids, bool skip_special = true) const;
  std::string decode_source(std::span<const int32_t> ids, bool skip_special = true) const;

  // One more than the highest id of the language's vocabulary.
  int32_t source_vocab_size() const;
  int32_t target_vocab_size() const;
  bool separate_vocabs() const;

  std::string source_token(int32_t id) const override;
  std::string target_token(int32_t id) const;

  // As Tokenizer: source text in, target text out; ids are the target's. The spans of tokenize() are exact within words
  // that normalisation leaves as they are; else a token's span is its whole word, or, where normalisation makes or
  // removes words, the whole text between added tokens. Pairs and words, which this tokenizer has no form for, are a
  // UsageError.
  std::vector<int32_t> encode(std::string_view text) const override { return encode_source(text); }
  TokenizedText tokenize(std::string_view text, bool special = true) const override;
  TokenizedText tokenize_pair(std::string_view first, std::string_view second, bool special = true) const override;
  TokenizedText tokenize_words(std::span<const std::string> text, bool special = true) const override;
  std::string decode(std::span<const int32_t> ids, bool skip_special = true) const override {
    return decode_target(ids, skip_special);
  }
  int32_t vocab_size() const override { return target_vocab_size(); }
  std::string token(int32_t id) const override { return target_token(id); }
  int32_t id(std::string_view token) const override;
  int32_t eos_id() const override;
  int32_t pad_id() const override;
  int32_t unk_id() const override;

 private:
  struct State;
  explicit MarianTokenizer(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  std::shared_ptr<const State> state_;
};

}  // namespace heed::text
