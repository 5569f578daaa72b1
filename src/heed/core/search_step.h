// One step of the search for one input: which open outputs go on with which token, which are finished, when to stop.
//
// The rules are those of Hugging Face's beam search (transformers 5, generation/utils.py: _beam_search), restated for
// one input and without its placeholders of -1e9. From the `looked_at` best continuations of all open outputs, the best
// `size` that do not end stay open; of the best `size`, those that end (by an end token or by the greatest length) are
// finished, and the best `size` finished ones are kept. Ties go to the lower output, then to the likelier token, then
// to the lower id; among finished ones to the older. Continuations of probability 0 are never taken; where fewer than
// `size` others exist, fewer outputs stay open. With a size of 1 that stops when full this is greedy search.
//
// The same code runs on the host (decode/beam.h) and on a GPU (core/search_batch.h). All memory is the caller's.
#pragma once

#include <cmath>
#include <cstdint>

#include "heed/core/host_device.h"

namespace heed {

struct SearchRules {
  int32_t size = 1;              // open outputs, and finished ones that are kept
  int32_t looked_at = 2;         // continuations of a step: at most so many per row are of use
  const int32_t* eos = nullptr;  // ids that end an output
  int32_t eos_count = 0;
  bool stops_when_full = false;  // `size` outputs are finished; else: and no open one is rated above the worst of them
};

struct OpenOutput {
  int32_t parent = 0;  // which open output of the step before it continues (0 at first: the prompt)
  int32_t token = 0;   // its last one
  float sum = 0;       // of log-probabilities
  int32_t node = -1;   // of its last token, -1 for none
};
struct FinishedOutput {
  float score, sum;
  int32_t node;
  int32_t eos;  // whether an end token ended it
};
struct OutputNode {  // one token of some output
  int32_t token;
  int32_t parent;  // the node before, -1 for none
  float log_prob;
};
struct Continuation {
  float sum, log_prob;
  int32_t row;  // which open output it continues
  int32_t token;
};

struct SearchState {
  int32_t prompt_length = 0, max_length = 0;  // of the sequence
  int32_t new_tokens = 0;
  int32_t open = 1, finished = 0, nodes = 0;  // how many there are
  int32_t done = 0;
  int32_t failed = 0;  // logits were not numbers
};

// Where one search has its state. At the end, without a finished output, open[0] is the best one before the last step.
struct SearchMemory {
  SearchState* state;
  OpenOutput* open;          // [size], best first
  FinishedOutput* finished;  // [size], best first
  OutputNode* nodes;         // room for 2 * size more
  // For the time of a step:
  OpenOutput* last_open;  // [size]
  Continuation* best;     // [looked_at]
  int32_t* heads;         // [size]: candidates of each row that have been taken
};

HEED_DEVICE bool is_among(int32_t id, const int32_t* ids, int32_t count) {
  for (int32_t i = 0; i < count; ++i)
    if (ids[i] == id) return true;
  return false;
}

// Merges the rows into the best continuations of all; returns how many there are.
template <class Rows>
HEED_DEVICE int32_t best_continuations(const SearchRules& rules, const SearchMemory& s, const Rows& rows) {
  const int32_t open = s.state->open;
  for (int32_t r = 0; r < open; ++r) s.heads[r] = 0;
  for (int32_t found = 0; found < rules.looked_at; ++found) {
    int32_t from = -1;
    float sum = -INFINITY;
    for (int32_t r = 0; r < open; ++r) {
      if (s.heads[r] == rows.count(r)) continue;
      const float x = s.open[r].sum + rows.log_prob(r, s.heads[r]);
      if (x > sum) {
        sum = x;
        from = r;
      }
    }
    if (from < 0) return found;
    const int32_t head = s.heads[from]++;
    s.best[found] = {sum, rows.log_prob(from, head), from, rows.id(from, head)};
  }
  return rules.looked_at;
}

HEED_DEVICE int32_t add_node(const SearchMemory& s, const Continuation& c) {
  s.nodes[s.state->nodes] = {c.token, s.last_open[c.row].node, c.log_prob};
  return s.state->nodes++;
}

HEED_DEVICE void finish_output(const SearchRules& rules, const SearchMemory& s, const Continuation& end, bool eos,
                               float divisor) {
  const float score = end.sum / divisor;
  int32_t place = 0;
  while (place < s.state->finished && !(s.finished[place].score < score)) ++place;
  if (place == rules.size) return;
  if (s.state->finished < rules.size) ++s.state->finished;
  for (int32_t i = s.state->finished - 1; i > place; --i) s.finished[i] = s.finished[i - 1];
  s.finished[place] = {score, end.sum, add_node(s, end), eos};
}

// One step. rows.count(r) are the likeliest tokens behind open output r, descending, with rows.id(r, i) and
// rows.log_prob(r, i); at first there is one row, the prompt's. `divisor`: what the sums of outputs that end in this
// step are divided by; `open_divisor`: the sum of the best open one, to be held against them. Not to be called when
// done.
template <class Rows>
HEED_DEVICE void advance_search(const SearchRules& rules, const SearchMemory& s, const Rows& rows, float divisor,
                                float open_divisor) {
  SearchState& state = *s.state;
  const int32_t found = best_continuations(rules, s, rows);
  for (int32_t i = 0; i < state.open; ++i) s.last_open[i] = s.open[i];
  state.open = 0;
  ++state.new_tokens;
  const bool at_limit = state.prompt_length + state.new_tokens >= state.max_length;
  for (int32_t i = 0; i < found; ++i) {
    const Continuation& c = s.best[i];
    const bool eos = is_among(c.token, rules.eos, rules.eos_count);
    if (eos || at_limit) {
      if (i < rules.size) finish_output(rules, s, c, eos, divisor);
    } else if (state.open < rules.size) {
      s.open[state.open++] = {c.row, c.token, c.sum, add_node(s, c)};
    }
  }
  const bool full = state.finished == rules.size;
  state.done = state.open == 0 ||
               (full && (rules.stops_when_full || !(s.open[0].sum / open_divisor > s.finished[rules.size - 1].score)));
  if (state.open == 0) s.open[0] = s.last_open[0];
}

}  // namespace heed
