// The beam of one input: which open beams go on with which token, which outputs are finished, and when to stop. The
// rules stand in core/search_step.h.
//
// Knows nothing of a model: it is fed the likeliest tokens of each open beam. Belongs to one thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "heed/core/search_step.h"
#include "heed/decode/candidates.h"
#include "heed/decode/hypothesis.h"
#include "heed/decode/options.h"

namespace heed::decode {

// What all beams of a batch share.
struct BeamRules {
  explicit BeamRules(const Options& options);
  SearchRules search() const;
  // The best open beam is held against finished outputs as if it had its greatest length.
  bool rates_by_greatest_length() const;
  Options options;
  std::vector<int32_t> eos;
  int size;        // open beams, and finished ones that are kept
  int candidates;  // continuations that are looked at per step: at most so many per row are of use
};

class Beam {
 public:
  // `rules` must outlive it. A sequence of prompt_length tokens is continued up to max_length.
  Beam(const BeamRules& rules, int64_t prompt_length, int64_t max_length);
  // One whose search went on elsewhere: `open` of `size` outputs, the finished ones, and state.nodes nodes.
  Beam(const BeamRules& rules, const SearchState& state, std::vector<OpenOutput> open,
       std::vector<FinishedOutput> finished, std::vector<OutputNode> nodes);

  // One step: rows[i] are the likeliest tokens behind open()[i], at most rules.candidates of them; at first there is
  // one row, the prompt's. Not to be called when done.
  void advance(std::span<const Candidates> rows);

  bool done() const { return state_.done != 0; }
  // The open beams, best first.
  std::span<const OpenOutput> open() const { return std::span(open_).first(static_cast<size_t>(state_.open)); }
  int64_t new_tokens() const { return state_.new_tokens; }
  // Appends the new tokens of open()[i].
  void append_ids(int i, std::vector<int32_t>& ids) const;
  // Once done: the best n_best outputs, best first, each opened by `prefix`. Never none: if no output was finished
  // because nothing had a probability above 0, the best open beam before that counts as one.
  std::vector<Hypothesis> hypotheses(std::span<const int32_t> prefix) const;

 private:
  const BeamRules* rules_;
  SearchState state_;
  std::vector<OpenOutput> open_, last_open_;
  std::vector<FinishedOutput> finished_;
  std::vector<OutputNode> nodes_;
  std::vector<Continuation> best_;
  std::vector<int32_t> heads_;
};

}  // namespace heed::decode
