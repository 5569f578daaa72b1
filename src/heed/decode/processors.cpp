#include "heed/decode/processors.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace heed::decode {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// (value, id) of all logits that are not removed.
void collect_open(std::span<const float> logits, std::vector<std::pair<float, int32_t>>& open) {
  open.clear();
  for (size_t i = 0; i < logits.size(); ++i)
    if (logits[i] > kNever) open.emplace_back(logits[i], static_cast<int32_t>(i));
}

float maximum(std::span<const float> logits) {
  float max = kNever;
  for (const float x : logits) max = x > max ? x : max;
  return max;
}

}  // namespace

void ban_repeated_ngrams(std::span<const int32_t> ids, int n, std::vector<int32_t>& banned) {
  const auto before = static_cast<size_t>(n) - 1;
  if (ids.size() <= before) return;
  const auto suffix = ids.last(before);
  for (size_t i = 0; i + before < ids.size(); ++i) {
    size_t same = 0;  // by hand: std::equal would call memcmp for two or three ids
    while (same < before && ids[i + same] == suffix[same]) ++same;
    if (same == before) banned.push_back(ids[i + before]);
  }
}

void ban_bad_words(std::span<const int32_t> ids, std::span<const std::vector<int32_t>> words,
                   std::vector<int32_t>& banned) {
  for (const auto& word : words) {
    const size_t before = word.size() - 1;
    if (before > ids.size()) continue;
    const auto suffix = ids.last(before);
    if (std::equal(suffix.begin(), suffix.end(), word.begin())) banned.push_back(word.back());
  }
}

void remove_ids(std::span<const int32_t> ids, std::span<float> logits) {
  for (const int32_t id : ids)
    if (id >= 0 && static_cast<size_t>(id) < logits.size()) logits[static_cast<size_t>(id)] = kNever;
}

void penalise_repetition(std::span<const int32_t> ids, float penalty, std::span<float> logits, Scratch& scratch) {
  const auto has_logit = [&](int32_t id) { return id >= 0 && static_cast<size_t>(id) < logits.size(); };
  // Read all before writing any, so that an id that stands twice is penalised once.
  scratch.values.clear();
  for (const int32_t id : ids) scratch.values.push_back(has_logit(id) ? logits[static_cast<size_t>(id)] : 0);
  for (size_t i = 0; i < ids.size(); ++i)
    if (const float x = scratch.values[i]; has_logit(ids[i]))
      logits[static_cast<size_t>(ids[i])] = x < 0 ? x * penalty : x / penalty;
}

void apply_temperature(float temperature, std::span<float> logits) {
  for (float& x : logits) x /= temperature;
}

void keep_top_k(int k, std::span<float> logits, Scratch& scratch) {
  if (static_cast<size_t>(k) >= logits.size()) return;
  scratch.values.resize(static_cast<size_t>(k));
  std::partial_sort_copy(logits.begin(), logits.end(), scratch.values.begin(), scratch.values.end(), std::greater<>());
  const float least = scratch.values.back();
  for (float& x : logits)
    if (x < least) x = kNever;
}

void keep_top_p(double p, std::span<float> logits, Scratch& scratch) {
  const float max = maximum(logits);
  double total = 0;
  scratch.values.clear();
  for (const float x : logits) {
    scratch.values.push_back(x > kNever ? std::exp(x - max) : 0);
    total += scratch.values.back();
  }
  // From the top: an id stays while the ids up to it, counted from the least probable one, hold more than 1 - p. Below
  // the n-th part of 1 - p that cannot be, so few ids have to be put in order.
  const double least = (1 - p) * total / static_cast<double>(logits.size());
  auto& heap = scratch.order;
  heap.clear();
  for (size_t i = 0; i < logits.size(); ++i) {
    if (scratch.values[i] > least || logits[i] == max) heap.emplace_back(scratch.values[i], static_cast<int32_t>(i));
    else logits[i] = kNever;
  }
  std::make_heap(heap.begin(), heap.end());
  double rest = total;
  for (bool first = true; !heap.empty() && (first || rest > (1 - p) * total); first = false) {
    rest -= heap.front().first;
    std::pop_heap(heap.begin(), heap.end());
    heap.pop_back();
  }
  for (const auto& [weight, id] : heap) logits[static_cast<size_t>(id)] = kNever;
}

void keep_min_p(double min_p, std::span<float> logits) {
  const float least = maximum(logits) + static_cast<float>(std::log(min_p));
  for (float& x : logits)
    if (x < least) x = kNever;
}

void keep_typical(double mass, std::span<float> logits, Scratch& scratch) {
  auto& heap = scratch.order;
  collect_open(logits, heap);
  const float max = maximum(logits);
  double total = 0, weighted = 0;
  for (const auto& [x, id] : heap) {
    const double weight = std::exp(x - max);
    total += weight;
    weighted += weight * x;
  }
  const double log_total = max + std::log(total), entropy = log_total - weighted / total;
  for (auto& [x, id] : heap) x = static_cast<float>(std::abs(log_total - x - entropy));
  // The nearest first, until they hold the mass; then what is as near as the last one taken.
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  double taken = 0;
  float farthest = 0;
  while (!heap.empty() && (taken < mass || heap.front().first <= farthest)) {
    const auto [distance, id] = heap.front();
    taken += std::exp(logits[static_cast<size_t>(id)] - log_total);
    farthest = distance;
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    heap.pop_back();
  }
  for (const auto& [x, id] : heap) logits[static_cast<size_t>(id)] = kNever;
}

Processors::Processors(const Options& options)
    : options_(options), eos_(effective_eos(options)), always_banned_(options.suppress_tokens) {
  for (const auto& word : options.bad_words_ids) {
    const bool is_eos = word.size() == 1 && std::find(eos_.begin(), eos_.end(), word[0]) != eos_.end();
    if (is_eos) continue;  // an end token cannot be a bad word
    if (word.size() == 1) always_banned_.push_back(word[0]);
    else long_words_.push_back(word);
  }
  std::sort(always_banned_.begin(), always_banned_.end());
  always_banned_.erase(std::unique(always_banned_.begin(), always_banned_.end()), always_banned_.end());
}

bool Processors::reads_ids() const {
  return options_.repetition_penalty != 1 || options_.no_repeat_ngram_size > 0 || !long_words_.empty();
}

void Processors::ban(const Sequence& sequence, std::vector<int32_t>& banned) const {
  banned.assign(always_banned_.begin(), always_banned_.end());
  if (options_.no_repeat_ngram_size > 0) ban_repeated_ngrams(sequence.ids, options_.no_repeat_ngram_size, banned);
  ban_bad_words(sequence.ids, long_words_, banned);
  if (sequence.length < options_.min_length || sequence.length - sequence.prompt_length < options_.min_new_tokens)
    banned.insert(banned.end(), eos_.begin(), eos_.end());
}

bool Processors::force(const Sequence& sequence, std::vector<int32_t>& ids) const {
  ids.clear();
  if (!options_.forced_eos.empty() && sequence.length == sequence.max_length - 1) ids = options_.forced_eos;
  else if (options_.forced_bos >= 0 && sequence.length == 1) ids.push_back(options_.forced_bos);
  else return false;
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  const auto& suppressed = options_.suppress_tokens;
  std::erase_if(ids,
                [&](int32_t id) { return std::find(suppressed.begin(), suppressed.end(), id) != suppressed.end(); });
  return true;
}

void Processors::apply(const Sequence& sequence, std::span<float> logits, Scratch& scratch) const {
  if (options_.repetition_penalty != 1) penalise_repetition(sequence.ids, options_.repetition_penalty, logits, scratch);
  if (force(sequence, scratch.ids)) {
    std::fill(logits.begin(), logits.end(), kNever);
    for (const int32_t id : scratch.ids) logits[static_cast<size_t>(id)] = 0;
  } else {
    ban(sequence, scratch.ids);
    remove_ids(scratch.ids, logits);
  }
  if (!options_.do_sample) return;
  if (options_.temperature != 1) apply_temperature(options_.temperature, logits);
  if (options_.top_k > 0) keep_top_k(options_.top_k, logits, scratch);
  if (options_.top_p < 1) keep_top_p(options_.top_p, logits, scratch);
  if (options_.min_p > 0) keep_min_p(options_.min_p, logits);
  if (options_.typical_p < 1) keep_typical(options_.typical_p, logits, scratch);
}

}  // namespace heed::decode
