#include "heed/decode/beam.h"

#include <algorithm>
#include <cassert>
#include <limits>

namespace heed::decode {

BeamRules::BeamRules(const Options& o)
    : options(o),
      eos(effective_eos(o)),
      size(o.beam),
      candidates(std::max(2, 1 + static_cast<int>(eos.size())) * o.beam) {}

Beam::Beam(const BeamRules& rules, int64_t prompt_length, int64_t max_length)
    : rules_(&rules), prompt_length_(prompt_length), max_length_(max_length), open_{{0, 0, 0, -1}} {
  const auto size = static_cast<size_t>(rules.size);
  nodes_.reserve(64 * size);
  finished_.reserve(size + 1);
}

void Beam::advance(std::span<const Candidates> rows) {
  assert(!done_ && rows.size() == open_.size());
  const int size = rules_->size;
  choose(rows);
  ++new_tokens_;
  const bool at_limit = prompt_length_ + new_tokens_ >= max_length_;
  open_.swap(last_open_);
  open_.clear();
  for (int i = 0; i < static_cast<int>(best_.size()); ++i) {
    const Continuation& c = best_[static_cast<size_t>(i)];
    const bool eos = is_eos(c.token);
    if (eos || at_limit) {
      if (i < size) finish(c, eos);
    } else if (static_cast<int>(open_.size()) < size) {
      open_.push_back({c.beam, c.token, c.sum, add_node(c)});
    }
  }
  const bool full = static_cast<int>(finished_.size()) == size;
  done_ = open_.empty() || (full && (rules_->options.early_stopping == EarlyStopping::kTrue || !can_improve()));
}

// Merges the rows, each of which is sorted, into the best continuations of all.
void Beam::choose(std::span<const Candidates> rows) {
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  heads_.assign(rows.size(), 0);
  best_.clear();
  while (static_cast<int>(best_.size()) < rules_->candidates) {
    size_t from = rows.size();
    float sum = kNone;
    for (size_t r = 0; r < rows.size(); ++r) {
      if (heads_[r] == rows[r].ids.size()) continue;
      const float s = open_[r].sum + rows[r].log_probs[heads_[r]];
      if (s > sum) {
        sum = s;
        from = r;
      }
    }
    if (from == rows.size()) return;
    const size_t head = heads_[from]++;
    best_.push_back({sum, rows[from].log_probs[head], static_cast<int>(from), rows[from].ids[head]});
  }
}

void Beam::finish(const Continuation& end, bool eos) {
  const float score = end.sum / length_divisor(rules_->options, new_tokens_);
  const auto place = std::find_if(finished_.begin(), finished_.end(), [&](const auto& f) { return f.score < score; });
  if (place == finished_.end() && static_cast<int>(finished_.size()) == rules_->size) return;
  const int32_t parent = last_open_[static_cast<size_t>(end.beam)].node;
  nodes_.push_back({end.token, parent, end.log_prob});
  finished_.insert(place, {score, end.sum, static_cast<int32_t>(nodes_.size()) - 1, eos});
  if (static_cast<int>(finished_.size()) > rules_->size) finished_.pop_back();
}

int32_t Beam::add_node(const Continuation& c) {
  nodes_.push_back({c.token, last_open_[static_cast<size_t>(c.beam)].node, c.log_prob});
  return static_cast<int32_t>(nodes_.size()) - 1;
}

bool Beam::is_eos(int32_t token) const {
  return std::find(rules_->eos.begin(), rules_->eos.end(), token) != rules_->eos.end();
}

// Whether the best open beam, of which the length is guessed, is rated above the worst finished output.
bool Beam::can_improve() const {
  const Options& options = rules_->options;
  const bool to_the_end = options.early_stopping == EarlyStopping::kNever && options.length_penalty > 0;
  const int64_t length = to_the_end ? max_length_ - prompt_length_ : new_tokens_;
  return open_.front().sum / length_divisor(options, length) > finished_.back().score;
}

void Beam::append_ids(int i, std::vector<int32_t>& ids) const {
  const auto begin = static_cast<ptrdiff_t>(ids.size());
  for (int32_t n = open_[static_cast<size_t>(i)].node; n >= 0; n = nodes_[static_cast<size_t>(n)].parent)
    ids.push_back(nodes_[static_cast<size_t>(n)].token);
  std::reverse(ids.begin() + begin, ids.end());
}

std::vector<Hypothesis> Beam::hypotheses(std::span<const int32_t> prefix) const {
  assert(done_);
  std::vector<Finished> best = finished_;
  if (best.empty()) {
    const Open& stuck = last_open_.front();
    const int64_t length = std::max<int64_t>(1, new_tokens_ - 1);
    best.push_back({stuck.sum / length_divisor(rules_->options, length), stuck.sum, stuck.node, false});
  }
  best.resize(std::min(best.size(), static_cast<size_t>(rules_->options.n_best)));
  std::vector<Hypothesis> result;
  for (const Finished& f : best) {
    Hypothesis h{{prefix.begin(), prefix.end()}, f.score, f.sum, {}, f.eos};
    for (int32_t n = f.node; n >= 0; n = nodes_[static_cast<size_t>(n)].parent) {
      const Node& node = nodes_[static_cast<size_t>(n)];
      h.ids.push_back(node.token);
      if (rules_->options.token_log_probs) h.token_log_probs.push_back(node.log_prob);
    }
    std::reverse(h.ids.begin() + static_cast<ptrdiff_t>(prefix.size()), h.ids.end());
    std::reverse(h.token_log_probs.begin(), h.token_log_probs.end());
    result.push_back(std::move(h));
  }
  return result;
}

}  // namespace heed::decode
