// What decoding gives back: outputs with their scores, and the hook through which they can be had as they come.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace heed::decode {

struct Hypothesis {
  // The forced target prefix and the new tokens, with the end token if one came; without the start token or prompt.
  std::vector<int32_t> ids;
  float score = 0;         // sum_log_prob divided by the length normalisation: what hypotheses are ordered by
  float sum_log_prob = 0;  // of the new tokens
  // One value per new token if Options::token_log_probs asks for them. Beam search: log-softmax of the logits, changed
  // by the processors (as the search itself adds them up). Greedy and sampling: the model's own, before any processor.
  std::vector<float> token_log_probs;
  bool finished = false;  // whether the last token is an end token; if not, a limit of length cut it off
};

// Called by the thread that decodes, between two steps of the model; an exception ends the decoding and passes through.
struct Stream {
  // Greedy and sampling: token `id` of sample `sample` (0 where greedy) of input `input` has been chosen. Returning
  // false ends this output here. Not called for the tokens of a forced prefix.
  std::function<bool(int input, int sample, int32_t id, float log_prob)> on_token;
  // All hypotheses of an input are there; on a GPU it may be called some steps after they are.
  std::function<void(int input, const std::vector<Hypothesis>& hypotheses)> on_finished;
};

}  // namespace heed::decode
