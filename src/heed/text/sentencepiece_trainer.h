// Training of SentencePiece models from raw text, by Debian's libsentencepiece (the one place where Heed uses it).
//
// Deterministic: the result depends on the lines and the options alone, never on the machine or the paths. The corpus
// is held in memory. The library's log is silenced for the whole process. Not to be called from several threads at
// once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "heed/text/sentencepiece_model.h"

namespace heed::text {

struct SentencePieceTrainOptions {
  SegmentationType model_type = SegmentationType::kUnigram;
  int vocab_size = 8000;
  // Whether a text too small for that many pieces is an error; if not, the vocabulary is as large as the text allows.
  bool hard_vocab_limit = true;
  // The share of the text's characters that get pieces of their own; 0.98 to 1.
  double character_coverage = 0.9995;
  bool byte_fallback = false;
  // Ids of the special pieces, -1: none. The defaults are Marian's.
  int unk_id = 1, bos_id = -1, eos_id = 0, pad_id = -1;
  // nmt_nfkc, nmt_nfkc_cf (with case folding), nfkc, nfkc_cf or identity.
  std::string normalization_rule = "nmt_nfkc";
  // Longer lines, in bytes, are left out (and counted).
  int max_sentence_length = 4192;
  // 0: all; else this many lines (above 100), drawn at random by `seed`.
  int64_t input_sentence_size = 0;
  uint64_t seed = 1;
  std::vector<std::string> user_defined_symbols;
  // Part of the result: a unigram vocabulary changes with it by rounding, so it is not taken from the machine.
  int threads = 2;
};

struct SentencePieceTrainResult {
  std::string model;      // the bytes of a `.model` file
  int64_t lines = 0;      // of all inputs
  int64_t used = 0;       // lines trained on
  int64_t blank = 0;      // left out: nothing remains of them once normalised
  int64_t too_long = 0;   // left out: longer than max_sentence_length
  int64_t reserved = 0;   // left out: they hold U+2585, which the trainer uses inside
  int64_t not_drawn = 0;  // left out by input_sentence_size
  int64_t bad_utf8 = 0;   // of all inputs: hold malformed UTF-8, which is read as U+FFFD
};

// Trains on the lines of all `inputs`, which may be plain, gzip or zstd. Throws IoError and DataError for the inputs
// (also if there is no text in them), ConfigError for options out of range, a vocabulary size that the text cannot
// fill (naming the largest possible) or that does not hold all its characters.
SentencePieceTrainResult train_sentencepiece(const std::vector<std::filesystem::path>& inputs,
                                             const SentencePieceTrainOptions& options);

}  // namespace heed::text
