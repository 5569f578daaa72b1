#include "heed/decode/greedy_and_sampling.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "heed/base/error.h"
#include "heed/base/threads.h"
#include "heed/decode/candidates.h"
#include "heed/decode/choice.h"
#include "heed/decode/feed.h"
#include "heed/decode/processors.h"

namespace heed::decode {
namespace {

// One output that is being written.
struct Output {
  int input;
  int number;                  // among the samples of its input
  int row;                     // of the last step; samples share their prompt's
  size_t fed = 1;              // how many tokens of Prompt::fed() the model has been given
  std::vector<int32_t> ids{};  // the whole sequence
  std::vector<float> log_probs{};
  double sum = 0;
  int32_t next = -1;  // what has been chosen last, -1 if nothing could be
  bool open = true;
};

class BatchWriter {
 public:
  BatchWriter(const std::vector<Prompt>& prompts, const Options& options, std::span<const uint64_t> examples,
              const Stream& stream);
  std::vector<std::vector<Hypothesis>> run(models::DecodingState& state);

 private:
  struct Worker {
    Scratch scratch;
    std::vector<int32_t> ids;
    std::vector<float> logits, weights;
  };

  const Prompt& prompt_of(const Output& output) const { return prompts_[static_cast<size_t>(output.input)]; }
  bool in_prompt(const Output& output) const { return output.fed < prompt_of(output).fed().size(); }
  void feed_prompt(Output& output);
  void choose_all(const Tensor& logits);
  int32_t choose(const Output& output, Worker& worker);
  int32_t choose_unchanged(const Sequence& sequence, int row, Worker& worker);
  void extend(Output& output);
  float log_prob_of(const Output& output);
  void check_numbers(const Output& output);
  void finish(Output& output, bool eos);

  const std::vector<Prompt>& prompts_;
  const Options& options_;
  const std::span<const uint64_t> examples_;
  const Stream& stream_;
  const Processors processors_;
  const std::vector<int32_t> eos_;
  std::vector<Output> outputs_;
  std::vector<std::vector<Hypothesis>> results_;
  std::vector<int> left_;  // open outputs of each input
  Feed feed_;
  int prompt_parent_ = -1, prompt_row_ = -1;  // the row of a prompt that was fed last, and its parent
  HostRows host_;
  BackendTopK best_;
  std::vector<Worker> workers_;  // one per thread
};

BatchWriter::BatchWriter(const std::vector<Prompt>& prompts, const Options& options, std::span<const uint64_t> examples,
                         const Stream& stream)
    : prompts_(prompts),
      options_(options),
      examples_(examples),
      stream_(stream),
      processors_(options),
      eos_(effective_eos(options)) {
  const int samples = options.do_sample ? options.n_best : 1;
  results_.resize(prompts.size());
  left_.assign(prompts.size(), samples);
  for (int i = 0; i < static_cast<int>(prompts.size()); ++i) {
    const Prompt& prompt = prompts[static_cast<size_t>(i)];
    const int row = feed_.add(i, prompt.fed()[0]);
    for (int s = 0; s < samples; ++s) {
      Output& output = outputs_.emplace_back(Output{i, s, row});
      output.ids = prompt.ids;
    }
    results_[static_cast<size_t>(i)].resize(static_cast<size_t>(samples));
  }
}

std::vector<std::vector<Hypothesis>> BatchWriter::run(models::DecodingState& state) {
  while (!outputs_.empty()) {
    choose_all(feed_.step(state));
    prompt_parent_ = -1;
    for (Output& output : outputs_) {
      if (in_prompt(output)) feed_prompt(output);
      else extend(output);
    }
    std::erase_if(outputs_, [](const Output& output) { return !output.open; });
  }
  return std::move(results_);
}

// Samples of one input stand side by side and share its row inside the prompt.
void BatchWriter::feed_prompt(Output& output) {
  const int32_t token = prompt_of(output).fed()[output.fed++];
  if (output.row != prompt_parent_) {
    prompt_parent_ = output.row;
    prompt_row_ = feed_.add(output.row, token);
  }
  output.row = prompt_row_;
}

void BatchWriter::choose_all(const Tensor& logits) {
  host_.attach(logits);
  if (options_.scores) best_.run(logits, 1);
  workers_.resize(static_cast<size_t>(thread_count()));
  // Another thread is worth its waking for some ten microseconds of work; sampling takes nanoseconds per logit, looking
  // through them a tenth of one.
  const int64_t grain = 1 + (processors_.changes_logits() ? 1 << 13 : 1 << 17) / logits.shape().cols();
  parallel_for(static_cast<int64_t>(outputs_.size()), grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      Output& output = outputs_[static_cast<size_t>(i)];
      if (!in_prompt(output)) output.next = choose(output, workers_[static_cast<size_t>(worker_index())]);
    }
  });
}

int32_t BatchWriter::choose(const Output& output, Worker& worker) {
  const Prompt& prompt = prompt_of(output);
  const auto length = static_cast<int64_t>(output.ids.size());
  const Sequence sequence{output.ids, length, prompt.length(), prompt.max_length};
  if (!processors_.changes_logits()) return choose_unchanged(sequence, output.row, worker);
  const auto logits = host_.row(output.row);
  worker.logits.assign(logits.begin(), logits.end());
  processors_.apply(sequence, worker.logits, worker.scratch);
  if (!options_.do_sample) return argmax(worker.logits);
  const double u = uniform_draw(options_.seed, examples_[static_cast<size_t>(output.input)],
                                static_cast<uint32_t>(length - prompt.length()), static_cast<uint32_t>(output.number));
  return sample(worker.logits, u, worker.weights);
}

// Without a copy where that can be: bans are then written into the model's buffer, which it fills anew at each step.
// Greedy only, so no other output shares the row.
int32_t BatchWriter::choose_unchanged(const Sequence& sequence, int row, Worker& worker) {
  if (processors_.force(sequence, worker.ids)) return worker.ids.empty() ? -1 : worker.ids.front();
  processors_.ban(sequence, worker.ids);
  if (options_.scores) {  // then the largest is known
    const int32_t best = best_.ids(row)[0];
    if (std::find(worker.ids.begin(), worker.ids.end(), best) == worker.ids.end()) return best;
  }
  std::span<float> logits = host_.row(row);
  if (options_.scores) {  // log_prob_of() reads the row
    worker.logits.assign(logits.begin(), logits.end());
    logits = worker.logits;
  }
  remove_ids(worker.ids, logits);
  return argmax(logits);
}

// Adds the chosen token; then ends the output or feeds the token.
void BatchWriter::extend(Output& output) {
  check_numbers(output);
  if (output.next < 0) return finish(output, false);
  const float log_prob = options_.scores ? log_prob_of(output) : 0;
  output.ids.push_back(output.next);
  output.sum += log_prob;
  if (options_.token_log_probs) output.log_probs.push_back(log_prob);
  const bool eos = std::find(eos_.begin(), eos_.end(), output.next) != eos_.end();
  const bool go_on = !stream_.on_token || stream_.on_token(output.input, output.number, output.next, log_prob);
  if (eos || !go_on || static_cast<int64_t>(output.ids.size()) >= prompt_of(output).max_length)
    return finish(output, eos);
  output.row = feed_.add(output.row, output.next);
}

// The model's own, of what has been chosen.
float BatchWriter::log_prob_of(const Output& output) {
  const int32_t best = best_.ids(output.row)[0];
  const float of_best = best_.log_probs(output.row)[0];
  if (output.next == best) return of_best;
  const auto logits = host_.row(output.row);
  return logits[static_cast<size_t>(output.next)] - (logits[static_cast<size_t>(best)] - of_best);
}

void BatchWriter::check_numbers(const Output& output) {
  const float witness = options_.scores   ? best_.log_probs(output.row)[0]
                        : output.next < 0 ? host_.row(output.row)[0]
                                          : 0;
  check(!std::isnan(witness), "decoding: the logits of token {} of an output are not numbers", output.ids.size());
}

void BatchWriter::finish(Output& output, bool eos) {
  const Prompt& prompt = prompt_of(output);
  auto& results = results_[static_cast<size_t>(output.input)];
  const int64_t new_tokens = static_cast<int64_t>(output.ids.size()) - prompt.length();
  Hypothesis& h = results[static_cast<size_t>(output.number)];
  h.ids.assign(output.ids.begin() + (prompt.length() - prompt.prefix_length), output.ids.end());
  h.sum_log_prob = static_cast<float>(output.sum);
  h.score = h.sum_log_prob / length_divisor(options_, std::max<int64_t>(new_tokens, 1));
  h.token_log_probs = std::move(output.log_probs);
  h.finished = eos;
  output.open = false;
  if (--left_[static_cast<size_t>(output.input)] == 0 && stream_.on_finished)
    stream_.on_finished(output.input, results);
}

}  // namespace

std::vector<std::vector<Hypothesis>> greedy_or_sample(models::DecodingState& state, const std::vector<Prompt>& prompts,
                                                      const Options& options, std::span<const uint64_t> examples,
                                                      const Stream& stream) {
  return BatchWriter(prompts, options, examples, stream).run(state);
}

}  // namespace heed::decode
