// Searches that go on by themselves on a device, step after step, while the host only launches kernels: what
// Backend::advance_searches is given, and what it does for each of them.
//
// Search i has the rows [i * size, (i + 1) * size) of the model's batch, one per open output; rows without one are fed
// token 0, and nobody reads what becomes of them. The rules are those of decode/processors.h that look at no ids and
// change no logits, and for samples those filters that need no more than the likeliest tokens.
#pragma once

#include "heed/base/error.h"
#include "heed/core/search_step.h"
#include "heed/core/tensor_view.h"

namespace heed {

// Ids that must not or may come, in the device's memory; count -1: there is no such rule.
struct IdList {
  const int32_t* ids = nullptr;
  int32_t count = -1;
};

struct SamplingRules {
  float temperature = 1;
  int32_t top_k = 0;
  double top_p = 1;  // 1: off
  double min_p = 0;  // 0: off
};

// All pointers are into the device's memory.
struct SearchBatch {
  SearchRules rules;
  IdList banned;        // never come
  IdList forced_first;  // come behind a start token that stands alone; of several, samples know only one
  IdList forced_last;   // come where max_length is reached
  int32_t min_length = 0, min_new_tokens = 0;  // no end token before
  const float* divisors = nullptr;             // of sums of n log-probabilities, by n
  bool rates_by_greatest_length = false;       // the best open output, as if it had its greatest length
  bool beams = false;             // sums are of log-probabilities after forcing (beam search); else of the model's own
  SamplingRules sampling;         // not of beams
  const double* draws = nullptr;  // [searches], uniform in [0, 1): of samples; nullptr: the likeliest token is taken

  SearchState* states = nullptr;       // [searches]
  OpenOutput* open = nullptr;          // [searches, size]
  FinishedOutput* finished = nullptr;  // [searches, size]
  OutputNode* nodes = nullptr;         // [searches, node_stride]
  int64_t node_stride = 0;
  // For the time of a step:
  OpenOutput* last_open = nullptr;  // [searches, size]
  Continuation* best = nullptr;     // [searches, looked_at]
  int32_t* heads = nullptr;         // [searches, size]
  int32_t* counts = nullptr;        // [searches, size]
  // What comes of it, [searches, size]: the token that each row is fed next, and the row that it continues.
  int32_t* tokens = nullptr;
  int32_t* parents = nullptr;
};

// The likeliest tokens of a model's rows (Backend::log_softmax_top_k), without gaps between rows, which may be written
// over, and all logits.
struct TopRows {
  float* log_probs;     // [rows, k]
  int32_t* ids;         // [rows, k]
  const float* logits;  // [rows, stride]
  int32_t k;
  int64_t stride;

  TopRows(const TensorView& all, const TensorView& values, const TensorView& indices)
      : log_probs(values.as<float>()),
        ids(indices.as<int32_t>()),
        logits(all.as<float>()),
        k(static_cast<int32_t>(indices.cols())),
        stride(all.row_stride) {
    check<ShapeError>(
        values.contiguous() && indices.contiguous() && values.shape == indices.shape && values.rows() == all.rows(),
        "searches: likeliest tokens {} and {} of logits {}", values.shape, indices.shape, all.shape);
  }
};

// The candidates of one row.
struct CandidateRow {
  float* log_probs;
  int32_t* ids;
  const float* logits;
  int32_t count;
};

// Leaves the tokens that may come.
HEED_DEVICE void filter_candidates(const SearchBatch& b, const SearchState& state, CandidateRow& row) {
  const int32_t length = state.prompt_length + state.new_tokens, k = row.count;
  // The model's own log-probabilities.
  const int32_t best = row.ids[0];
  const float of_best = row.log_probs[0], total = row.logits[best] - of_best;
  const auto log_prob_of = [&](int32_t id) { return id == best ? of_best : row.logits[id] - total; };
  IdList forced;
  if (length == state.max_length - 1) forced = b.forced_last;
  if (forced.count < 0 && length == 1) forced = b.forced_first;
  row.count = 0;
  if (forced.count >= 0) {
    for (; row.count < forced.count && row.count < b.rules.looked_at && row.count < k; ++row.count) {
      row.ids[row.count] = forced.ids[row.count];
      row.log_probs[row.count] = 0;
    }
    if (!b.beams && row.count > 0) {
      row.count = 1;
      row.log_probs[0] = fmaxf(log_prob_of(row.ids[0]), -1e30f);  // it comes, whatever the model says
    }
    return;
  }
  const bool no_end = length < b.min_length || state.new_tokens < b.min_new_tokens;
  for (int32_t i = 0; i < k; ++i) {
    const int32_t id = row.ids[i];
    if (!(row.log_probs[i] > -INFINITY) || is_among(id, b.banned.ids, b.banned.count)) continue;
    if (no_end && is_among(id, b.rules.eos, b.rules.eos_count)) continue;
    row.ids[row.count] = id;
    row.log_probs[row.count++] = b.beams ? row.log_probs[i] : log_prob_of(id);
  }
}

// Draws one of the row's candidates, which are descending, as Processors and sample() do from all tokens.
HEED_DEVICE void draw_candidate(const SamplingRules& rules, double draw, CandidateRow& row) {
  if (row.count == 0) return;
  const auto scaled = [&](int32_t i) { return row.logits[row.ids[i]] / rules.temperature; };
  const float max = scaled(0);
  const auto weight = [&](int32_t i) { return expf(scaled(i) - max); };
  if (row.count > rules.top_k) row.count = rules.top_k;
  double total = 0;
  for (int32_t i = 0; i < row.count; ++i) total += weight(i);
  if (rules.top_p < 1) {
    double rest = total;
    int32_t kept = 0;
    for (; kept < row.count && (kept == 0 || rest > (1 - rules.top_p) * total); ++kept) rest -= weight(kept);
    row.count = kept;
  }
  if (rules.min_p > 0) {
    const float least = max + static_cast<float>(::log(rules.min_p));
    while (row.count > 1 && scaled(row.count - 1) < least) --row.count;
  }
  // In the order of the ids.
  for (int32_t i = 1; i < row.count; ++i) {
    const int32_t id = row.ids[i];
    const float log_prob = row.log_probs[i];
    int32_t place = i;
    for (; place > 0 && row.ids[place - 1] > id; --place) {
      row.ids[place] = row.ids[place - 1];
      row.log_probs[place] = row.log_probs[place - 1];
    }
    row.ids[place] = id;
    row.log_probs[place] = log_prob;
  }
  total = 0;
  for (int32_t i = 0; i < row.count; ++i) total += weight(i);
  double passed = 0;
  int32_t chosen = 0;
  for (int32_t i = 0; i < row.count; ++i) {
    const float w = weight(i);
    if (w == 0) continue;
    chosen = i;
    passed += w;
    if (passed > draw * total) break;
  }
  row.ids[0] = row.ids[chosen];
  row.log_probs[0] = row.log_probs[chosen];
  row.count = 1;
}

// A search's rows, as advance_search reads them.
struct RowsOfSearch {
  const float* log_probs;
  const int32_t *ids, *counts;
  int32_t k;
  HEED_DEVICE int32_t count(int32_t r) const { return counts[r]; }
  HEED_DEVICE float log_prob(int32_t r, int32_t i) const { return log_probs[r * k + i]; }
  HEED_DEVICE int32_t id(int32_t r, int32_t i) const { return ids[r * k + i]; }
};

HEED_DEVICE SearchMemory memory_of(const SearchBatch& b, int64_t search) {
  const int64_t size = b.rules.size;
  return {b.states + search,           b.open + search * size,
          b.finished + search * size,  b.nodes + search * b.node_stride,
          b.last_open + search * size, b.best + search * b.rules.looked_at,
          b.heads + search * size};
}

// One step of one search.
HEED_DEVICE void advance_one(const SearchBatch& b, int64_t search, const TopRows& top) {
  const SearchMemory s = memory_of(b, search);
  SearchState& state = *s.state;
  const int32_t size = b.rules.size;
  const int64_t first = search * size;
  for (int32_t r = 0; r < state.open && !state.done; ++r) {
    const int64_t row = first + r;
    CandidateRow candidates{top.log_probs + row * top.k, top.ids + row * top.k, top.logits + row * top.stride, top.k};
    if (!(candidates.log_probs[0] == candidates.log_probs[0])) state.failed = state.done = 1;  // not a number
    filter_candidates(b, state, candidates);
    if (b.draws && candidates.count > 1) draw_candidate(b.sampling, b.draws[search], candidates);
    b.counts[row] = candidates.count;
  }
  if (!state.done) {
    const float divisor = b.divisors[state.new_tokens + 1];
    const float open_divisor =
        b.rates_by_greatest_length ? b.divisors[state.max_length - state.prompt_length] : divisor;
    const RowsOfSearch rows{top.log_probs + first * top.k, top.ids + first * top.k, b.counts + first, top.k};
    advance_search(b.rules, s, rows, divisor, open_divisor);
  }
  for (int32_t r = 0; r < size; ++r) {
    const bool goes_on = !state.done && r < state.open;
    b.tokens[first + r] = goes_on ? s.open[r].token : 0;
    b.parents[first + r] = static_cast<int32_t>(first) + (goes_on ? s.open[r].parent : 0);
  }
}

}  // namespace heed
