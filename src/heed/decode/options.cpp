#include "heed/decode/options.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "heed/base/error.h"

namespace heed::decode {
namespace {

template <class... Args>
void require(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  check<UsageError>(condition, format, std::forward<Args>(args)...);
}

void check_ids(const char* option, std::span<const int32_t> ids, int vocab_size) {
  for (const int32_t id : ids)
    require(id >= 0 && id < vocab_size, "{}: id {} is outside the vocabulary of {}", option, id, vocab_size);
}

void check_search(const Options& o) {
  require(o.beam >= 1, "beam: {} (at least 1 is needed)", o.beam);
  require(o.n_best >= 1, "n_best: {} (at least 1 is needed)", o.n_best);
  require(o.do_sample || o.n_best <= o.beam, "n_best: {} outputs of a beam of {}", o.n_best, o.beam);
  require(!o.do_sample || o.beam == 1, "do_sample: samples are drawn with beam 1, not {}", o.beam);
  require(std::isfinite(o.length_penalty), "length_penalty: {} is not a finite number", o.length_penalty);
  require(o.scores || !o.token_log_probs, "token_log_probs: needs scores");
}

void check_lengths(const Options& o) {
  require(o.max_new_tokens >= 0, "max_new_tokens: {} is negative", o.max_new_tokens);
  require(o.max_length >= 0, "max_length: {} is negative", o.max_length);
  require(o.min_new_tokens >= 0, "min_new_tokens: {} is negative", o.min_new_tokens);
  require(o.min_length >= 0, "min_length: {} is negative", o.min_length);
  require(o.max_new_tokens == 0 || o.min_new_tokens <= o.max_new_tokens, "min_new_tokens: {} with max_new_tokens {}",
          o.min_new_tokens, o.max_new_tokens);
  require(o.max_new_tokens != 0 || o.max_length == 0 || o.min_length <= o.max_length,
          "min_length: {} with max_length {}", o.min_length, o.max_length);
}

// Written so that NaN is refused too.
void check_sampling(const Options& o) {
  require(o.temperature > 0 && std::isfinite(o.temperature),
          "temperature: {} (a positive number is needed; without do_sample the search is greedy)", o.temperature);
  require(o.top_k >= 0, "top_k: {} is negative", o.top_k);
  require(o.top_p >= 0 && o.top_p <= 1, "top_p: {} is not in [0, 1]", o.top_p);
  require(o.min_p >= 0 && o.min_p <= 1, "min_p: {} is not in [0, 1]", o.min_p);
  require(o.typical_p > 0 && o.typical_p <= 1, "typical_p: {} is not in (0, 1]", o.typical_p);
}

void check_tokens(const Options& o, int vocab_size) {
  require(o.repetition_penalty > 0 && std::isfinite(o.repetition_penalty),
          "repetition_penalty: {} (a positive number is needed)", o.repetition_penalty);
  require(o.no_repeat_ngram_size >= 0, "no_repeat_ngram_size: {} is negative", o.no_repeat_ngram_size);
  for (const auto& word : o.bad_words_ids) {
    require(!word.empty(), "bad_words_ids: an empty word");
    check_ids("bad_words_ids", word, vocab_size);
  }
  check_ids("suppress_tokens", o.suppress_tokens, vocab_size);
  require(o.decoder_start >= -1 && o.decoder_start < vocab_size, "decoder_start: id {} is outside the vocabulary of {}",
          o.decoder_start, vocab_size);
  require(o.forced_bos >= -1 && o.forced_bos < vocab_size, "forced_bos: id {} is outside the vocabulary of {}",
          o.forced_bos, vocab_size);
  check_ids("forced_eos", o.forced_eos, vocab_size);
  check_ids("eos", o.eos, vocab_size);
  check_ids("target_prefix", o.target_prefix.ids, vocab_size);
}

}  // namespace

void validate(const Options& options, int vocab_size) {
  check_search(options);
  check_lengths(options);
  check_sampling(options);
  check_tokens(options, vocab_size);
}

std::vector<int32_t> effective_eos(const Options& options) {
  std::vector<int32_t> eos;
  if (!options.ignore_eos) eos = options.eos;
  std::sort(eos.begin(), eos.end());
  eos.erase(std::unique(eos.begin(), eos.end()), eos.end());
  return eos;
}

float length_divisor(const Options& options, int64_t new_tokens) {
  const auto n = static_cast<double>(new_tokens);
  const double base = options.length_normalisation == LengthNormalisation::kPower ? n : (5 + n) / 6;
  return static_cast<float>(std::pow(base, options.length_penalty));
}

}  // namespace heed::decode
