#include "reference_beam_search.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "heed/decode/processors.h"

namespace heed::testing {
namespace {

using decode::EarlyStopping;
using decode::Hypothesis;
using decode::Options;

constexpr float kPlaceholder = -1e9f;

struct Slot {
  Ids ids;  // new tokens
  float score = kPlaceholder, sum = 0;
  bool finished = false, eos = false;
};

// What torch.topk gives: the places of the k largest, earlier places first among equals.
std::vector<size_t> places_of_top(const std::vector<float>& scores, size_t k) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  order.resize(std::min(k, order.size()));
  return order;
}

std::vector<float> log_softmax(const std::vector<float>& x) {
  const double max = *std::max_element(x.begin(), x.end());
  double total = 0;
  for (const float v : x) total += std::exp(v - max);
  std::vector<float> y;
  for (const float v : x) y.push_back(static_cast<float>(v - max - std::log(total)));
  return y;
}

class Reference {
 public:
  Reference(const ToyGenerator& model, std::span<const int32_t> input, const Ids& prompt, int64_t max_length,
            const Options& options)
      : model_(model),
        input_(input),
        prompt_(prompt),
        max_length_(max_length),
        options_(options),
        processors_(options),
        eos_(decode::effective_eos(options)),
        beams_(static_cast<size_t>(options.beam)) {}

  std::vector<Hypothesis> run() {
    std::vector<Slot> running(beams_), finished(beams_);
    for (size_t b = 0; b < beams_; ++b) running[b].score = b == 0 ? 0 : kPlaceholder;
    for (bool going = true; going;) going = step(running, finished);
    std::vector<Hypothesis> result;
    for (const Slot& slot : finished)
      if (slot.finished && static_cast<int>(result.size()) < options_.n_best)
        result.push_back({slot.ids, slot.score, slot.sum, {}, slot.eos});
    return result;
  }

 private:
  // Scores of all continuations of all running beams, one beam behind the other.
  std::vector<float> continuation_scores(const std::vector<Slot>& running) {
    std::vector<float> all;
    for (const Slot& slot : running) {
      Ids ids = prompt_;
      ids.insert(ids.end(), slot.ids.begin(), slot.ids.end());
      std::vector<float> logits(static_cast<size_t>(model_.vocab_size()));
      model_.logits(input_, ids, logits);
      std::vector<float> log_probs = log_softmax(logits);
      processors_.apply({ids, static_cast<int64_t>(ids.size()), static_cast<int64_t>(prompt_.size()), max_length_},
                        log_probs, scratch_);
      for (const float p : log_probs) all.push_back(p + slot.score);
    }
    return all;
  }

  bool step(std::vector<Slot>& running, std::vector<Slot>& finished) {
    const auto prompt_length = static_cast<int64_t>(prompt_.size());
    const auto length = prompt_length + static_cast<int64_t>(running[0].ids.size());
    const auto vocab = static_cast<size_t>(model_.vocab_size());
    const std::vector<float> scores = continuation_scores(running);
    std::vector<Slot> top;
    for (const size_t place : places_of_top(scores, std::max<size_t>(2, 1 + eos_.size()) * beams_)) {
      Slot slot{running[place / vocab].ids, scores[place], scores[place], false, false};
      const auto token = static_cast<int32_t>(place % vocab);
      slot.ids.push_back(token);
      slot.eos = std::find(eos_.begin(), eos_.end(), token) != eos_.end();
      slot.finished = slot.eos || length + 1 >= max_length_;  // "hits a stopping criterion"
      top.push_back(slot);
    }
    const bool all_hit = std::all_of(top.begin(), top.end(), [](const Slot& s) { return s.finished; });
    next_running(top, running);
    update_finished(top, length + 1 - prompt_length, finished);
    unsatisfied_ = unsatisfied_ && improvement_possible(running, finished, length + 1 - prompt_length);
    const bool all_finished = std::all_of(finished.begin(), finished.end(), [](const Slot& s) { return s.finished; });
    const bool open = !(all_finished && options_.early_stopping == EarlyStopping::kTrue);
    return unsatisfied_ && open && !all_hit;
  }

  void next_running(const std::vector<Slot>& top, std::vector<Slot>& running) const {
    std::vector<float> scores;
    for (const Slot& slot : top) scores.push_back(slot.score + (slot.finished ? kPlaceholder : 0));
    running.clear();
    for (const size_t place : places_of_top(scores, beams_)) {
      running.push_back(top[place]);
      running.back().score = scores[place];
    }
  }

  void update_finished(const std::vector<Slot>& top, int64_t new_tokens, std::vector<Slot>& finished) const {
    std::vector<Slot> merged = finished;
    for (size_t i = 0; i < top.size(); ++i) {
      Slot slot = top[i];
      slot.finished = slot.finished && i < beams_;
      slot.score = slot.score / decode::length_divisor(options_, new_tokens) + (slot.finished ? 0 : kPlaceholder);
      merged.push_back(slot);
    }
    std::vector<float> scores;
    for (const Slot& slot : merged) scores.push_back(slot.score);
    finished.clear();
    for (const size_t place : places_of_top(scores, beams_)) finished.push_back(merged[place]);
  }

  bool improvement_possible(const std::vector<Slot>& running, const std::vector<Slot>& finished,
                            int64_t new_tokens) const {
    const bool never = options_.early_stopping == EarlyStopping::kNever && options_.length_penalty > 0;
    const int64_t length = never ? max_length_ - static_cast<int64_t>(prompt_.size()) : new_tokens;
    const float best = running[0].score / decode::length_divisor(options_, length);
    float least = finished[0].score;
    for (const Slot& slot : finished) least = std::min(least, slot.score);
    return std::any_of(finished.begin(), finished.end(),
                       [&](const Slot& slot) { return best > (slot.finished ? least : kPlaceholder); });
  }

  const ToyGenerator& model_;
  std::span<const int32_t> input_;
  const Ids prompt_;
  const int64_t max_length_;
  const Options options_;
  const decode::Processors processors_;
  const Ids eos_;
  const size_t beams_;
  bool unsatisfied_ = true;
  decode::Scratch scratch_;
};

}  // namespace

std::vector<Hypothesis> reference_beam_search(const ToyGenerator& model, std::span<const int32_t> input,
                                              const Ids& prompt, int64_t max_length, const Options& options) {
  return Reference(model, input, prompt, max_length, options).run();
}

}  // namespace heed::testing
