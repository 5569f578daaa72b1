// What may come next: the logit processors, each with the effect and in the order of Hugging Face's `generate`
// (transformers 5, generation/logits_process.py).
//
// There are three kinds. Constraints name ids that must not come, or of which one must come, without looking at a
// logit; so a search can leave them out without touching the logits. The repetition penalty changes single logits. The
// sampling filters change or remove all of them; removed is -inf. Everything is a pure function of the row's own
// sequence and logits. A Processors is immutable and thread-safe; the scratch belongs to one thread.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "heed/decode/options.h"

namespace heed::decode {

// A row whose next token is to be chosen.
struct Sequence {
  std::span<const int32_t> ids;  // all so far; may be left empty where Processors::reads_ids() is false
  int64_t length = 0;            // how many these are
  int64_t prompt_length = 0;     // how many of them were given
  int64_t max_length = 0;        // how many there may be in the end
};

// Buffers that keep their capacity from call to call.
struct Scratch {
  std::vector<float> values;
  std::vector<int32_t> ids;
  std::vector<std::pair<float, int32_t>> order;
};

// --- constraints: append to `banned`, where an id may then stand twice ---------------------------------------------

// Ids that would complete an n-gram that the sequence has already (Paulus et al. 2017, section 2.5).
void ban_repeated_ngrams(std::span<const int32_t> ids, int n, std::vector<int32_t>& banned);

// The last id of each word whose other ids end the sequence.
void ban_bad_words(std::span<const int32_t> ids, std::span<const std::vector<int32_t>> words,
                   std::vector<int32_t>& banned);

// Sets the logits of `ids` to -inf; ids that have no logit are passed over.
void remove_ids(std::span<const int32_t> ids, std::span<float> logits);

// --- changes of logits -----------------------------------------------------------------------------------------------

// Each id of the sequence once: a negative logit times the penalty, another divided by it (Keskar et al. 2019,
// section 4.1). Ids that have no logit are passed over.
void penalise_repetition(std::span<const int32_t> ids, float penalty, std::span<float> logits, Scratch& scratch);

// --- sampling filters; at least one id always stays ------------------------------------------------------------------

void apply_temperature(float temperature, std::span<float> logits);
// The k largest stay, and what equals the least of them.
void keep_top_k(int k, std::span<float> logits, Scratch& scratch);
// The smallest set of most probable ids with a probability of at least p (Holtzman et al. 2020, section 3.1).
void keep_top_p(double p, std::span<float> logits, Scratch& scratch);
// Ids at least `min_p` times as probable as the most probable one (Nguyen et al. 2024).
void keep_min_p(double min_p, std::span<float> logits);
// The ids whose information is nearest to the entropy, up to a probability of `mass` (Meister et al. 2022, equation 9).
void keep_typical(double mass, std::span<float> logits, Scratch& scratch);

// --- all of them -----------------------------------------------------------------------------------------------------

class Processors {
 public:
  explicit Processors(const Options& options);

  // Whether Sequence::ids is looked at.
  bool reads_ids() const;
  // Whether the penalty or, when sampling, a filter changes logits.
  bool changes_logits() const { return options_.repetition_penalty != 1 || options_.do_sample; }

  // The ids that never come, ascending.
  std::span<const int32_t> always_banned() const { return always_banned_; }
  // The ids that must not come next: replaces `banned`, where an id may stand twice.
  void ban(const Sequence& sequence, std::vector<int32_t>& banned) const;
  // Whether one of certain ids must come next, whatever the logits and bans: replaces `ids`, ascending. Each then
  // counts with logit 0. They can be none: suppress_tokens takes ids from here, too.
  bool force(const Sequence& sequence, std::vector<int32_t>& ids) const;
  // Everything, in order.
  void apply(const Sequence& sequence, std::span<float> logits, Scratch& scratch) const;

 private:
  const Options options_;
  std::vector<int32_t> eos_;
  std::vector<int32_t> always_banned_;            // suppressed ids and words of one id
  std::vector<std::vector<int32_t>> long_words_;  // of more than one id
};

}  // namespace heed::decode
