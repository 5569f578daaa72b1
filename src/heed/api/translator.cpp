#include "heed/translator.h"

#include <algorithm>
#include <utility>

#include "heed/api/borrowed_threads.h"
#include "heed/api/guard.h"
#include "heed/base/error.h"
#include "heed/tasks/translation.h"

namespace heed {

struct Translator::Model {
  tasks::TranslationModel loaded;
};

namespace {

template <class T, class U>
void override_with(T& value, const std::optional<U>& given) {
  if (given) value = *given;
}

tasks::TranslateOptions resolve(const tasks::TranslationModel& model, const TranslateOptions& options) {
  check<UsageError>(options.batch_size > 0, "batch_size is 0");
  check<UsageError>(options.workers > 0, "workers is {}; at least 1 is needed", options.workers);
  check<UsageError>(options.threads_per_worker > 0, "threads_per_worker is {}; at least 1 is needed",
                    options.threads_per_worker);
  tasks::TranslateOptions result;
  decode::Options& d = result.decode;
  d = tasks::generation_defaults(*model.model);
  d.do_sample = options.sample || d.do_sample;
  if (d.do_sample) d.beam = 1;
  override_with(d.beam, options.beam);
  d.n_best = options.n_best;
  override_with(d.length_penalty, options.length_penalty);
  override_with(d.max_new_tokens, options.max_new_tokens);
  d.min_new_tokens = options.min_new_tokens;
  override_with(d.temperature, options.temperature);
  override_with(d.top_k, options.top_k);
  override_with(d.top_p, options.top_p);
  d.seed = options.seed;
  d.token_log_probs = options.token_log_probs;
  decode::validate(d, model.model->vocab_size());
  result.batch_size = options.batch_size;
  result.workers = options.workers;
  result.threads_per_worker = options.threads_per_worker;
  return result;
}

Translation to_public(tasks::Translation&& t) {
  return {std::move(t.text), t.score, t.sum_log_prob, std::move(t.ids), std::move(t.token_log_probs)};
}

std::vector<std::vector<Translation>> translate_all(const tasks::TranslationModel& model,
                                                    const tasks::TranslateOptions& options,
                                                    const std::vector<std::string>& sentences) {
  std::vector<std::vector<Translation>> results;
  size_t next = 0;
  tasks::translate_stream(
      model, options,
      [&]() -> std::optional<std::string> {
        if (next == sentences.size()) return std::nullopt;
        return sentences[next++];
      },
      [&](std::vector<tasks::Translation>&& translations) {
        std::vector<Translation>& result = results.emplace_back();
        for (tasks::Translation& t : translations) result.push_back(to_public(std::move(t)));
      });
  return results;
}

// Scores are of whole sentences: nothing is cut.
void refuse_long(const tasks::TranslationModel& model, const std::vector<std::string>& sources,
                 const std::vector<std::string>& targets) {
  const auto most = static_cast<size_t>(model.model->max_length());
  for (size_t i = 0; i < sources.size(); ++i) {
    const size_t tokens =
        std::max(model.tokenizer->encode(sources[i]).size(), model.tokenizer->encode_target(targets[i]).size());
    check<DataError>(tokens <= most, "pair {} has {} tokens; the model has positions for {}", i, tokens, most);
  }
}

}  // namespace

Translator::Translator(const std::filesystem::path& folder)
    : model_(
          api::guarded([&] { return std::make_shared<const Model>(Model{tasks::TranslationModel::load(folder)}); })) {}

Translator::Translator(const Translator&) = default;
Translator::Translator(Translator&&) noexcept = default;
Translator& Translator::operator=(const Translator&) = default;
Translator& Translator::operator=(Translator&&) noexcept = default;
Translator::~Translator() = default;

std::string Translator::translate(const std::string& sentence, const TranslateOptions& options) const {
  return std::move(translate_batch({sentence}, options).front());
}

std::vector<std::string> Translator::translate_batch(const std::vector<std::string>& sentences,
                                                     const TranslateOptions& options) const {
  return api::guarded(
      [&] { return tasks::translate_lines(model_->loaded, resolve(model_->loaded, options), sentences); });
}

std::vector<std::vector<Translation>> Translator::n_best(const std::vector<std::string>& sentences,
                                                         const TranslateOptions& options) const {
  return api::guarded([&] { return translate_all(model_->loaded, resolve(model_->loaded, options), sentences); });
}

std::vector<PairScore> Translator::score(const std::vector<std::string>& sources,
                                         const std::vector<std::string>& targets, const ScoreOptions& options) const {
  return api::guarded([&] {
    check<UsageError>(options.batch_size > 0, "batch_size is 0");
    check<UsageError>(options.threads > 0, "threads is {}; at least 1 is needed", options.threads);
    check<UsageError>(sources.size() == targets.size(), "{} sources and {} targets", sources.size(), targets.size());
    const api::BorrowedThreads threads(options.threads);
    refuse_long(model_->loaded, sources, targets);
    std::vector<PairScore> scores;
    for (tasks::PairScore& s : tasks::score_pairs(model_->loaded, sources, targets, options.batch_size))
      scores.push_back({s.sum_log_prob, std::move(s.tokens), std::move(s.token_log_probs)});
    return scores;
  });
}

}  // namespace heed
