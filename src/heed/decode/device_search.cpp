#include "heed/decode/device_search.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "heed/base/error.h"
#include "heed/core/search_batch.h"
#include "heed/decode/beam.h"
#include "heed/decode/choice.h"
#include "heed/decode/processors.h"
#include "heed/tensor/backends.h"

namespace heed::decode {
namespace {

// Candidates of a row at most: a GPU finds them one after the other.
constexpr int64_t kMostCandidates = 64;
// Between two looks at what has come about, at most; the first ones come sooner, for outputs of a few tokens.
constexpr int64_t kStepsBetween = 8;

// Matrices of four-byte elements hold arrays of these, a row per search.
template <class T>
int64_t columns_of(int64_t count) {
  static_assert(sizeof(T) % 4 == 0);
  return count * static_cast<int64_t>(sizeof(T) / 4);
}
template <class T>
T* array_of(const Tensor& matrix) {
  return static_cast<T*>(matrix.view().data);
}

// Of the tokens that no step chooses among: those that cannot come, and the ends where they may be too early.
int64_t passed_over(const Processors& processors, const Options& options) {
  const bool no_early_end = options.min_length > 0 || options.min_new_tokens > 0;
  return std::ssize(processors.always_banned()) + (no_early_end ? std::ssize(effective_eos(options)) : 0);
}

// Greedy search is a beam of one that ends with its first finished output.
BeamRules rules_of(Options options) {
  if (options.beam == 1) {
    options.early_stopping = EarlyStopping::kTrue;
    options.token_log_probs = options.scores;
    options.n_best = 1;
  }
  return BeamRules(options);
}

class DeviceSearch {
 public:
  DeviceSearch(models::DecodingState& state, const std::vector<Prompt>& prompts, const Options& options,
               std::span<const uint64_t> examples, const Stream& stream);
  std::vector<std::vector<Hypothesis>> run();

 private:
  // One search: of an input, or of one of its samples.
  struct Task {
    int input;
    int number;  // among the samples of its input
  };

  int64_t count() const { return std::ssize(tasks_); }
  int64_t rows() const { return count() * rules_.size; }
  const Prompt& prompt_of(const Task& task) const { return prompts_[static_cast<size_t>(task.input)]; }
  Tensor ints(int64_t rows, int64_t columns) const { return Tensor::empty({rows, columns}, DType::kI32, device_); }

  void begin();
  void place_ids();
  void place_divisors();
  void make_scratch();
  void make_draws(int64_t steps);
  void step(int64_t place);
  int64_t steps_to_go() const;
  void look();
  void take_finished(const std::vector<SearchState>& states);
  void finish(const Task& task, const Beam& beam);
  void keep(const std::vector<int32_t>& searches);
  SearchBatch batch(int64_t place) const;

  models::DecodingState& state_;
  const std::vector<Prompt>& prompts_;
  const Options& options_;
  const std::span<const uint64_t> examples_;
  const Stream& stream_;
  const Device device_;
  const Processors processors_;
  const BeamRules rules_;
  const int64_t candidates_;  // of a row
  std::vector<Task> tasks_;
  std::vector<int> left_;  // of each input: searches that are not done
  std::vector<std::vector<Hypothesis>> results_;
  int64_t steps_ = 0, between_ = 1;  // steps so far, and till the next look

  SearchBatch constants_;                    // what stays as it is
  Tensor ids_, divisors_;                    // which it points to
  Tensor states_, open_, finished_, nodes_;  // a row per search
  int64_t node_capacity_ = 0;                // of a search
  Tensor last_open_, best_, heads_, counts_;
  Tensor tokens_, parents_;           // i32 [rows]
  Tensor log_probs_, candidate_ids_;  // [rows, candidates]
  Tensor draws_;                      // f64 as i64 [steps, searches]
};

DeviceSearch::DeviceSearch(models::DecodingState& state, const std::vector<Prompt>& prompts, const Options& options,
                           std::span<const uint64_t> examples, const Stream& stream)
    : state_(state),
      prompts_(prompts),
      options_(options),
      examples_(examples),
      stream_(stream),
      device_(state.device()),
      processors_(options),
      rules_(rules_of(options)),
      candidates_((options.do_sample ? options.top_k : rules_.candidates) + passed_over(processors_, options)) {
  const int samples = options.do_sample ? options.n_best : 1;
  left_.assign(prompts.size(), samples);
  results_.resize(prompts.size());
  for (int i = 0; i < static_cast<int>(prompts.size()); ++i)
    for (int s = 0; s < samples; ++s) tasks_.push_back({i, s});
  for (auto& result : results_) result.resize(static_cast<size_t>(samples));
  place_ids();
  place_divisors();
  begin();
}

// End tokens, and those that never come or must come.
void DeviceSearch::place_ids() {
  std::vector<int32_t> ids(rules_.eos);
  std::vector<std::pair<IdList*, size_t>> lists;  // and how many ids stand before theirs
  const auto place = [&](IdList& list, std::span<const int32_t> of) {
    list.count = static_cast<int32_t>(of.size());
    lists.emplace_back(&list, ids.size());
    ids.insert(ids.end(), of.begin(), of.end());
  };
  place(constants_.banned, processors_.always_banned());
  std::vector<int32_t> forced;
  if (processors_.force({{}, 1, 0, 3}, forced)) place(constants_.forced_first, forced);
  if (processors_.force({{}, 2, 0, 3}, forced)) place(constants_.forced_last, forced);
  ids_ = Tensor::from(ids, {std::ssize(ids)}, device_);
  for (const auto& [list, before] : lists) list->ids = ids_.data<int32_t>() + before;
  constants_.rules = rules_.search();
  constants_.rules.eos = ids_.data<int32_t>();
  constants_.min_length = options_.min_length;
  constants_.min_new_tokens = options_.min_new_tokens;
  constants_.beams = options_.beam > 1;
  constants_.rates_by_greatest_length = rules_.rates_by_greatest_length();
  constants_.sampling = {options_.temperature, options_.top_k, options_.top_p, options_.min_p};
}

void DeviceSearch::place_divisors() {
  int64_t most = 0;
  for (const Prompt& prompt : prompts_) most = std::max(most, prompt.max_length - prompt.length());
  std::vector<float> divisors{1};
  for (int64_t n = 1; n <= most; ++n) divisors.push_back(length_divisor(rules_.options, n));
  divisors_ = Tensor::from(divisors, {std::ssize(divisors)}, device_);
  constants_.divisors = divisors_.data<float>();
}

// All rows of a search are its prompt's at first; only the first one counts.
void DeviceSearch::begin() {
  const int64_t size = rules_.size;
  std::vector<int32_t> inputs, tokens;
  std::vector<SearchState> states;
  for (const Task& task : tasks_) {
    const Prompt& prompt = prompt_of(task);
    inputs.insert(inputs.end(), static_cast<size_t>(size), task.input);
    tokens.insert(tokens.end(), static_cast<size_t>(size), prompt.ids.back());
    states.push_back({.prompt_length = static_cast<int32_t>(prompt.length()),
                      .max_length = static_cast<int32_t>(prompt.max_length)});
  }
  if (rows() != state_.rows()) state_.select(std::span<const int32_t>(inputs));
  tokens_ = Tensor::from(tokens, {rows()}, device_);
  states_ =
      Tensor::from_bytes(std::as_bytes(std::span(states)), {count(), columns_of<SearchState>(1)}, DType::kI32, device_);
  const std::vector<OpenOutput> open(static_cast<size_t>(rows()));
  open_ =
      Tensor::from_bytes(std::as_bytes(std::span(open)), {count(), columns_of<OpenOutput>(size)}, DType::kI32, device_);
  finished_ = ints(count(), columns_of<FinishedOutput>(size));
  node_capacity_ = 2 * size * 4 * kStepsBetween;
  nodes_ = ints(count(), columns_of<OutputNode>(node_capacity_));
  make_scratch();
}

// What holds nothing from one step to the next, but for tokens_.
void DeviceSearch::make_scratch() {
  const int64_t size = rules_.size;
  last_open_ = ints(count(), columns_of<OpenOutput>(size));
  best_ = ints(count(), columns_of<Continuation>(rules_.candidates));
  heads_ = ints(count(), size);
  counts_ = ints(count(), size);
  parents_ = ints(rows(), 1);
  log_probs_ = Tensor::empty({rows(), candidates_}, DType::kF32, device_);
  candidate_ids_ = ints(rows(), candidates_);
}

// Of the next steps.
void DeviceSearch::make_draws(int64_t steps) {
  if (!options_.do_sample) return;
  std::vector<double> draws;
  for (int64_t s = 0; s < steps; ++s)
    for (const Task& task : tasks_)
      draws.push_back(uniform_draw(options_.seed, examples_[static_cast<size_t>(task.input)],
                                   static_cast<uint32_t>(steps_ + s), static_cast<uint32_t>(task.number)));
  draws_ = Tensor::from_bytes(std::as_bytes(std::span(draws)), {steps, count()}, DType::kI64, device_);
}

SearchBatch DeviceSearch::batch(int64_t place) const {
  SearchBatch b = constants_;
  if (options_.do_sample) b.draws = array_of<const double>(draws_) + place * count();
  b.states = array_of<SearchState>(states_);
  b.open = array_of<OpenOutput>(open_);
  b.finished = array_of<FinishedOutput>(finished_);
  b.nodes = array_of<OutputNode>(nodes_);
  b.node_stride = node_capacity_;
  b.last_open = array_of<OpenOutput>(last_open_);
  b.best = array_of<Continuation>(best_);
  b.heads = array_of<int32_t>(heads_);
  b.counts = array_of<int32_t>(counts_);
  b.tokens = array_of<int32_t>(tokens_);
  b.parents = array_of<int32_t>(parents_);
  return b;
}

void DeviceSearch::step(int64_t place) {
  const Tensor logits = state_.step(tokens_);
  const int64_t k = std::min(candidates_, logits.dim(1));
  const Tensor log_probs = log_probs_.reshape({log_probs_.numel()}).slice_rows(0, rows() * k).reshape({rows(), k});
  const Tensor ids = candidate_ids_.reshape({log_probs_.numel()}).slice_rows(0, rows() * k).reshape({rows(), k});
  Backend& on = backend(device_);
  on.log_softmax_top_k(logits.view(), static_cast<int>(k), log_probs.view(), ids.view());
  on.advance_searches(batch(place), count(), logits.view(), log_probs.view(), ids.view());
  if (rules_.size > 1) state_.select(parents_);
  ++steps_;
}

// Until the host looks: never so many that a row, finished or not, is fed beyond its greatest length.
int64_t DeviceSearch::steps_to_go() const {
  int64_t most = between_;
  for (const Task& task : tasks_) {
    const Prompt& prompt = prompt_of(task);
    most = std::min(most, prompt.max_length - prompt.length() - steps_);
  }
  return most;
}

std::vector<std::vector<Hypothesis>> DeviceSearch::run() {
  while (!tasks_.empty()) {
    const int64_t steps = steps_to_go();
    make_draws(steps);
    for (int64_t s = 0; s < steps; ++s) step(s);
    look();
    between_ = std::min(2 * between_, kStepsBetween);
  }
  return std::move(results_);
}

// Takes out what is done, where that is much or could go on no further, and makes room for more tokens.
void DeviceSearch::look() {
  std::vector<SearchState> states(tasks_.size());
  backend(device_).to_host(states_.view().data, states.size() * sizeof(SearchState), states.data());
  std::vector<int32_t> open;
  bool at_limit = false;
  int32_t nodes = 0;
  for (size_t i = 0; i < states.size(); ++i) {
    const SearchState& s = states[i];
    check(!s.failed, "decoding: the logits of token {} of an output are not numbers", s.prompt_length + s.new_tokens);
    nodes = std::max(nodes, s.nodes);
    if (!s.done) open.push_back(static_cast<int32_t>(i));
    at_limit |= s.max_length - s.prompt_length <= steps_;
  }
  if (at_limit || std::ssize(open) * 4 <= count() * 3) {
    take_finished(states);
    keep(open);
  }
  if (tasks_.empty() || nodes + 2 * rules_.size * kStepsBetween <= node_capacity_) return;
  const Tensor larger = ints(count(), columns_of<OutputNode>(2 * node_capacity_));
  backend(device_).copy(nodes_.view(), larger.slice_columns(0, nodes_.dim(1)).view());
  nodes_ = larger;
  node_capacity_ *= 2;
}

void DeviceSearch::take_finished(const std::vector<SearchState>& states) {
  const auto fetch = [&](const Tensor& matrix, auto element) {
    std::vector<decltype(element)> all(static_cast<size_t>(matrix.numel()) * 4 / sizeof(element));
    backend(device_).to_host(matrix.view().data, all.size() * sizeof(element), all.data());
    return all;
  };
  const auto open = fetch(open_, OpenOutput{});
  const auto finished = fetch(finished_, FinishedOutput{});
  const auto nodes = fetch(nodes_, OutputNode{});
  const auto part = [](const auto& all, size_t search, size_t stride, int64_t used) {
    const auto begin = all.begin() + static_cast<ptrdiff_t>(search * stride);
    return std::vector(begin, begin + used);
  };
  const auto size = static_cast<size_t>(rules_.size);
  for (size_t i = 0; i < states.size(); ++i) {
    if (!states[i].done) continue;
    finish(tasks_[i], Beam(rules_, states[i], part(open, i, size, rules_.size), part(finished, i, size, rules_.size),
                           part(nodes, i, static_cast<size_t>(node_capacity_), states[i].nodes)));
  }
}

void DeviceSearch::finish(const Task& task, const Beam& beam) {
  auto& result = results_[static_cast<size_t>(task.input)];
  std::vector<Hypothesis> found = beam.hypotheses({});
  if (options_.beam > 1) {
    result = std::move(found);
  } else {  // scores are of sums in double precision, as greedy_or_sample() has them
    Hypothesis& h = found.front();
    const double sum = std::accumulate(h.token_log_probs.begin(), h.token_log_probs.end(), 0.0);
    h.sum_log_prob = static_cast<float>(sum);
    h.score = h.sum_log_prob / length_divisor(options_, std::max<int64_t>(std::ssize(h.ids), 1));
    if (!options_.token_log_probs) h.token_log_probs.clear();
    result[static_cast<size_t>(task.number)] = std::move(h);
  }
  if (--left_[static_cast<size_t>(task.input)] == 0 && stream_.on_finished) stream_.on_finished(task.input, result);
}

// Goes on with these searches alone.
void DeviceSearch::keep(const std::vector<int32_t>& searches) {
  std::vector<Task> tasks;
  std::vector<int32_t> kept_rows;
  for (const int32_t search : searches) {
    tasks.push_back(tasks_[static_cast<size_t>(search)]);
    for (int32_t r = 0; r < rules_.size; ++r) kept_rows.push_back(search * rules_.size + r);
  }
  tasks_ = std::move(tasks);
  if (tasks_.empty()) return;
  state_.select(std::span<const int32_t>(kept_rows));
  const Tensor at = Tensor::from(searches, {count()}, device_);
  const auto gather = [&](Tensor& x) {
    const Tensor kept = ints(count(), x.dim(1));
    backend(device_).gather_rows(x.view(), at.view(), kept.view());
    x = kept;
  };
  for (Tensor* x : {&states_, &open_, &finished_, &nodes_}) gather(*x);
  Tensor tokens = tokens_.reshape({tokens_.numel() / rules_.size, rules_.size});
  gather(tokens);
  tokens_ = tokens.reshape({rows()});
  make_scratch();
}

}  // namespace

bool searches_on_device(const std::vector<Prompt>& prompts, const Options& options, const Stream& stream) {
  const Processors processors(options);
  const bool one_forced = options.forced_eos.size() <= 1;
  if (stream.on_token || processors.reads_ids() || options.beam > kMostCandidates) return false;
  if (options.do_sample && (options.typical_p < 1 || options.top_k == 0 || !one_forced)) return false;
  const int64_t wanted = options.do_sample ? options.top_k : rules_of(options).candidates;
  if (wanted + passed_over(processors, options) > kMostCandidates) return false;
  constexpr int64_t kLongest = 1 << 20;  // of what divisors are kept for
  return std::all_of(prompts.begin(), prompts.end(), [](const Prompt& prompt) {
    return prompt.prefix_length == 0 && prompt.max_length - prompt.length() <= kLongest &&
           prompt.max_length <= std::numeric_limits<int32_t>::max();
  });
}

std::vector<std::vector<Hypothesis>> search_on_device(models::DecodingState& state, const std::vector<Prompt>& prompts,
                                                      const Options& options, std::span<const uint64_t> examples,
                                                      const Stream& stream) {
  return DeviceSearch(state, prompts, options, examples, stream).run();
}

}  // namespace heed::decode
