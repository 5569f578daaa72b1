// How an output is looked for: plain data with the names, defaults and meaning that Hugging Face's `generate` gives
// them (transformers 5, generation/configuration_utils.py), but for three: without any limit of length an output may
// use all positions of the decoder, scores are reported, and there is no pad token, because nothing is padded.
//
// "The sequence" is what the processors and max_length see: the decoder's start token (of a decoder-only model: the
// whole prompt), the forced target prefix, the new tokens. "New" tokens are those behind the prefix.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "heed/base/ragged.h"

namespace heed::decode {

// When a beam search ends although beams could go on. All end once there is no beam left to continue.
enum class EarlyStopping : uint8_t {
  kFalse,  // `beam` outputs are finished and the best open beam, were it finished now, would not be among them
  kTrue,   // `beam` outputs are finished
  kNever,  // like kFalse, but with length_penalty > 0 the best open beam is rated as if it had the greatest length
};

// What the sum of the log-probabilities of `n` new tokens (the end token counts) is divided by.
enum class LengthNormalisation : uint8_t {
  kPower,  // n^alpha: Hugging Face
  kGnmt,   // ((5 + n) / 6)^alpha: Wu et al. 2016, equation 14
};

struct Options {
  // --- search
  int beam = 1;               // 1: greedy search, or sampling; more: beam search
  int n_best = 1;             // outputs per input: at most `beam`; with do_sample that many independent samples
  double length_penalty = 1;  // alpha
  LengthNormalisation length_normalisation = LengthNormalisation::kPower;
  EarlyStopping early_stopping = EarlyStopping::kFalse;
  bool scores = true;            // greedy and sampling: whether log-probabilities are wanted at all
  bool token_log_probs = false;  // one log-probability per new token in each Hypothesis

  // --- lengths; 0: no such limit
  int max_new_tokens = 0;
  int max_length = 0;      // of the sequence; max_new_tokens goes first
  int min_new_tokens = 0;  // no end token before so many new tokens
  int min_length = 0;      // no end token while the sequence is shorter

  // --- sampling
  bool do_sample = false;  // the fields down to `seed` have no effect without it
  float temperature = 1;
  int top_k = 50;        // 0: off
  double top_p = 1;      // 1: off
  double min_p = 0;      // 0: off
  double typical_p = 1;  // 1: off
  uint64_t seed = 0;

  // --- what may come
  float repetition_penalty = 1;  // 1: off
  int no_repeat_ngram_size = 0;  // 0: off
  std::vector<std::vector<int32_t>> bad_words_ids;
  std::vector<int32_t> suppress_tokens;
  int32_t decoder_start = -1;       // the token that a decoder behind an encoder begins with; -1: the model's own
  int32_t forced_bos = -1;          // the token behind a start token that stands alone; -1: none
  std::vector<int32_t> forced_eos;  // one of these comes last where max_length is reached

  // --- special tokens
  std::vector<int32_t> eos;  // each of them ends an output
  bool ignore_eos = false;   // they are tokens like any other

  // --- inputs
  Ragged target_prefix;          // tokens that an output begins with: no row, one row for all inputs, or a row for each
  bool continues_input = false;  // a decoder-only model: the sequence begins with the input itself
};

// Throws UsageError naming the first option that is out of range or contradicts another. Ids are held against
// `vocab_size`, where it is known.
void validate(const Options& options, int vocab_size = std::numeric_limits<int>::max());

// The ids that end an output, each once: none with ignore_eos.
std::vector<int32_t> effective_eos(const Options& options);

// What a sum of log-probabilities of `new_tokens` (> 0) tokens is divided by.
float length_divisor(const Options& options, int64_t new_tokens);

}  // namespace heed::decode
