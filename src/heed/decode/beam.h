// The beam of one input: which open beams go on with which token, which outputs are finished, and when to stop.
//
// The rules are those of Hugging Face's beam search (transformers 5, generation/utils.py: _beam_search), restated for
// one input and without its placeholders of -1e9. From the (1 + number of end tokens) * size best continuations of all
// open beams, at least twice as many as the beam, the best `size` that do not end stay open; of the best `size`, those
// that end (by an end token or by the greatest length) are finished, and the best `size` finished ones are kept. Ties
// go to the lower beam, then to the likelier token, then to the lower id; among finished ones to the older.
// Continuations of probability 0 are never taken; where fewer than `size` others exist, fewer beams stay open.
//
// Knows nothing of a model: it is fed the likeliest tokens of each open beam. Belongs to one thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "heed/decode/candidates.h"
#include "heed/decode/hypothesis.h"
#include "heed/decode/options.h"

namespace heed::decode {

// What all beams of a batch share.
struct BeamRules {
  explicit BeamRules(const Options& options);
  Options options;
  std::vector<int32_t> eos;
  int size;        // open beams, and finished ones that are kept
  int candidates;  // continuations that are looked at per step: at most so many per row are of use
};

class Beam {
 public:
  struct Open {
    int parent;     // which open beam of the step before it continues (0 at first: the prompt)
    int32_t token;  // its last token
    float sum;      // of log-probabilities
    int32_t node;   // of its last token
  };

  // `rules` must outlive it. A sequence of prompt_length tokens is continued up to max_length.
  Beam(const BeamRules& rules, int64_t prompt_length, int64_t max_length);

  // One step: rows[i] are the likeliest tokens behind open()[i], at most rules.candidates of them; at first there is
  // one row, the prompt's. Not to be called when done.
  void advance(std::span<const Candidates> rows);

  bool done() const { return done_; }
  // The open beams, best first.
  std::span<const Open> open() const { return open_; }
  int64_t new_tokens() const { return new_tokens_; }
  // Appends the new tokens of open()[i].
  void append_ids(int i, std::vector<int32_t>& ids) const;
  // Once done: the best n_best outputs, best first, each opened by `prefix`. Never none: if no output was finished
  // because nothing had a probability above 0, the best open beam before that counts as one.
  std::vector<Hypothesis> hypotheses(std::span<const int32_t> prefix) const;

 private:
  struct Node {  // one token of some beam
    int32_t token;
    int32_t parent;  // the node before, -1 for none
    float log_prob;
  };
  struct Finished {
    float score, sum;
    int32_t node;
    bool eos;
  };
  struct Continuation {
    float sum, log_prob;
    int beam;
    int32_t token;
  };

  void choose(std::span<const Candidates> rows);
  void finish(const Continuation& end, bool eos);
  bool is_eos(int32_t token) const;
  bool can_improve() const;
  int32_t add_node(const Continuation& c);

  const BeamRules* rules_;
  int64_t prompt_length_, max_length_;
  int64_t new_tokens_ = 0;
  bool done_ = false;
  std::vector<Node> nodes_;
  std::vector<Open> open_, last_open_;
  std::vector<Finished> finished_;  // best first
  std::vector<Continuation> best_;  // of this step, best first
  std::vector<size_t> heads_;       // candidates of each row that have been taken
};

}  // namespace heed::decode
