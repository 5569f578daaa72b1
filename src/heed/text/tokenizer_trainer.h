// Training of tokenizers that are written as an ordinary folder: tokenizer.json and tokenizer_config.json, which
// transformers opens and runs with the same ids. Lines are given one by one; what is kept of them is how often each
// word occurs. The same lines and options give the same files everywhere. Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "heed/base/json.h"
#include "heed/text/bpe_trainer.h"
#include "heed/text/word_counts.h"

namespace heed::text {

enum class TokenizerKind {
  kByteBpe,     // bytes merged to words, as GPT-2's: <|endoftext|>
  kWordPiece,   // word beginnings and continuations, as BERT's: [PAD] [UNK] [CLS] [SEP] [MASK]
  kUnigram,     // pieces with probabilities, as T5's: <pad> </s> <unk>
  kCharacters,  // each character is a token: <unk> <eos>
};

struct TokenizerTrainOptions {
  TokenizerKind kind = TokenizerKind::kByteBpe;
  size_t vocab_size = 8000;  // all tokens, special ones included
  uint64_t min_frequency = 2;
  size_t limit_alphabet = 0;                // keep so many characters, the most frequent; 0: all
  bool lowercase = true;                    // WordPiece: text is lower-cased, without accents
  std::vector<std::string> special_tokens;  // further ones, behind the kind's own
};

// The document of a tokenizer and its configuration, for PipelineTokenizer::from_json.
struct TrainedTokenizer {
  Json tokenizer, config;
  size_t tokens = 0;
};

class TokenizerTrainer {
 public:
  // Throws ConfigError for options that contradict each other or are out of range.
  explicit TokenizerTrainer(TokenizerTrainOptions options);
  ~TokenizerTrainer();

  // A line without its end.
  void add(std::string_view line);

  // Throws DataError if no line had any text, ConfigError if the vocabulary cannot hold all its characters.
  TrainedTokenizer train(const TrainProgress& progress = {}) const;

  uint64_t lines() const { return lines_; }
  const WordCounts& words() const { return words_; }

 private:
  struct Splitter;  // the kind's normalizer and pre-tokenizer

  TokenizerTrainOptions options_;
  std::unique_ptr<Splitter> splitter_;
  WordCounts words_;
  uint64_t lines_ = 0;
};

// Writes the two files into `folder`, which is made if it is not there. Throws IoError.
void save_tokenizer(const TrainedTokenizer& tokenizer, const std::filesystem::path& folder);

}  // namespace heed::text
