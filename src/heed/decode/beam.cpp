#include "heed/decode/beam.h"

#include <algorithm>
#include <cassert>
#include <limits>

namespace heed::decode {
namespace {

int32_t length_of(int64_t tokens) {
  return static_cast<int32_t>(std::min<int64_t>(tokens, std::numeric_limits<int32_t>::max()));
}

}  // namespace

BeamRules::BeamRules(const Options& o)
    : options(o),
      eos(effective_eos(o)),
      size(o.beam),
      candidates(std::max(2, 1 + static_cast<int>(eos.size())) * o.beam) {}

SearchRules BeamRules::search() const {
  return {size, candidates, eos.data(), static_cast<int32_t>(eos.size()),
          options.early_stopping == EarlyStopping::kTrue};
}

bool BeamRules::rates_by_greatest_length() const {
  return options.early_stopping == EarlyStopping::kNever && options.length_penalty > 0;
}

Beam::Beam(const BeamRules& rules, int64_t prompt_length, int64_t max_length)
    : rules_(&rules),
      state_{.prompt_length = length_of(prompt_length), .max_length = length_of(max_length)},
      open_(static_cast<size_t>(rules.size)),
      last_open_(open_),
      finished_(open_.size()),
      best_(static_cast<size_t>(rules.candidates)),
      heads_(open_.size()) {}

Beam::Beam(const BeamRules& rules, const SearchState& state, std::vector<OpenOutput> open,
           std::vector<FinishedOutput> finished, std::vector<OutputNode> nodes)
    : rules_(&rules), state_(state), open_(std::move(open)), finished_(std::move(finished)), nodes_(std::move(nodes)) {}

void Beam::advance(std::span<const Candidates> rows) {
  struct Rows {
    std::span<const Candidates> rows;
    const Candidates& at(int32_t r) const { return rows[static_cast<size_t>(r)]; }
    int32_t count(int32_t r) const { return static_cast<int32_t>(at(r).ids.size()); }
    float log_prob(int32_t r, int32_t i) const { return at(r).log_probs[static_cast<size_t>(i)]; }
    int32_t id(int32_t r, int32_t i) const { return at(r).ids[static_cast<size_t>(i)]; }
  };
  assert(!done() && rows.size() == open().size());
  const size_t room = static_cast<size_t>(state_.nodes) + 2 * open_.size();
  if (nodes_.size() < room) nodes_.resize(std::max(2 * room, 64 * open_.size()));
  const float divisor = length_divisor(rules_->options, state_.new_tokens + 1);
  const float open_divisor = rules_->rates_by_greatest_length()
                                 ? length_divisor(rules_->options, state_.max_length - state_.prompt_length)
                                 : divisor;
  const SearchMemory memory{&state_,           open_.data(), finished_.data(), nodes_.data(),
                            last_open_.data(), best_.data(), heads_.data()};
  advance_search(rules_->search(), memory, Rows{rows}, divisor, open_divisor);
}

void Beam::append_ids(int i, std::vector<int32_t>& ids) const {
  const auto begin = static_cast<ptrdiff_t>(ids.size());
  for (int32_t n = open_[static_cast<size_t>(i)].node; n >= 0; n = nodes_[static_cast<size_t>(n)].parent)
    ids.push_back(nodes_[static_cast<size_t>(n)].token);
  std::reverse(ids.begin() + begin, ids.end());
}

std::vector<Hypothesis> Beam::hypotheses(std::span<const int32_t> prefix) const {
  assert(done());
  std::vector<FinishedOutput> best(finished_.begin(), finished_.begin() + state_.finished);
  if (best.empty()) {
    const OpenOutput& stuck = open_.front();
    const int64_t length = std::max(1, state_.new_tokens - 1);
    best.push_back({stuck.sum / length_divisor(rules_->options, length), stuck.sum, stuck.node, 0});
  }
  best.resize(std::min(best.size(), static_cast<size_t>(rules_->options.n_best)));
  std::vector<Hypothesis> result;
  for (const FinishedOutput& f : best) {
    Hypothesis h{{prefix.begin(), prefix.end()}, f.score, f.sum, {}, f.eos != 0};
    for (int32_t n = f.node; n >= 0; n = nodes_[static_cast<size_t>(n)].parent) {
      const OutputNode& node = nodes_[static_cast<size_t>(n)];
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
