#include "heed/cli/decode_options.h"

#include <algorithm>

#include "heed/base/threads.h"

namespace heed::cli {
namespace {

template <class T, class U>
void override_with(T& value, const std::optional<U>& given) {
  if (given) value = static_cast<T>(*given);
}

decode::EarlyStopping early_stopping_of(const std::string& name) {
  if (name == "true") return decode::EarlyStopping::kTrue;
  return name == "never" ? decode::EarlyStopping::kNever : decode::EarlyStopping::kFalse;
}

}  // namespace

void DecodeOptions::add_to(Command& command) {
  add_search_to(command);
  Options& o = command.options();
  o.section("Speed");
  o.add("batch-size", batch_size_, "Sentences decoded together").range(1, 4096);
  o.add("workers", workers_, "Batches in flight; 0 means one per thread").range(0, 1024);
}

void DecodeOptions::add_search_to(Command& command, const std::string& n) {
  Options& o = command.options();
  o.section("Search");
  o.add("beam", beam_, "Width of the beam; 1 is greedy search").range(1, 1024).default_text("the model's");
  o.add(n, n_best_, "Outputs per input, the best first").range(1, 1024).default_text("1");
  o.add("length-penalty", length_penalty_, "Exponent of the length that scores are divided by")
      .default_text("the model's");
  o.add("length-normalisation", length_normalisation_, "Length itself, or Wu et al. 2016")
      .choices({"power", "gnmt"})
      .default_text("power");
  o.add("early-stopping", early_stopping_, "When a beam search ends")
      .choices({"false", "true", "never"})
      .default_text("the model's");
  o.add("max-new-tokens", max_new_tokens_, "Longest output in tokens").at_least(1).default_text("the model's");
  o.add("min-new-tokens", min_new_tokens_, "Shortest output in tokens").at_least(0).default_text("0");
  o.add("max-length", max_length_, "Longest output with its prompt or start token")
      .at_least(1)
      .default_text("the model's");
  o.add("min-length", min_length_, "Shortest output with its prompt or start token").at_least(0).default_text("0");
  o.add("ignore-eos", ignore_eos_, "End tokens are tokens like any other: outputs have the greatest length");
  o.section("Sampling");
  o.add("sample", sample_, "Draw tokens instead of searching; the controls below ask for it too")
      .default_text("the model's");
  o.add("temperature", temperature_, "Divides the logits before drawing; 0 is greedy search")
      .at_least(0)
      .default_text("the model's");
  o.add("top-k", top_k_, "Draw from the K likeliest tokens; 0 is off").at_least(0).default_text("50");
  o.add("top-p", top_p_, "Draw from the likeliest tokens of that joint probability").range(0, 1).default_text("1");
  o.add("min-p", min_p_, "Drop tokens below that share of the likeliest one's probability")
      .range(0, 1)
      .default_text("0");
  o.add("typical-p", typical_p_, "Locally typical sampling (Meister et al. 2023)").range(0, 1).default_text("1");
  o.section("What may come");
  o.add("repetition-penalty", repetition_penalty_, "Divides the logits of tokens that came before").default_text("1");
  o.add("no-repeat-ngram-size", no_repeat_ngram_size_, "No run of that many tokens comes twice; 0 is off")
      .at_least(0)
      .default_text("0");
}

decode::Options DecodeOptions::apply_to(decode::Options d, const CommonOptions& common, int vocab_size) const {
  override_with(d.beam, beam_);
  override_with(d.n_best, n_best_);
  override_with(d.length_penalty, length_penalty_);
  override_with(d.max_new_tokens, max_new_tokens_);
  override_with(d.min_new_tokens, min_new_tokens_);
  override_with(d.max_length, max_length_);
  // What is given goes before what the model's folder says of the other way to limit lengths.
  if (max_length_ && !max_new_tokens_) d.max_new_tokens = 0;
  override_with(d.min_length, min_length_);
  override_with(d.temperature, temperature_);
  override_with(d.top_k, top_k_);
  override_with(d.top_p, top_p_);
  override_with(d.min_p, min_p_);
  override_with(d.typical_p, typical_p_);
  override_with(d.repetition_penalty, repetition_penalty_);
  override_with(d.no_repeat_ngram_size, no_repeat_ngram_size_);
  d.do_sample = sample_.value_or(d.do_sample || temperature_ || top_k_ || top_p_ || min_p_ || typical_p_);
  if (d.temperature == 0) {
    d.do_sample = false;
    d.temperature = 1;
  }
  if (d.do_sample && !beam_) d.beam = 1;
  d.ignore_eos = ignore_eos_;
  d.seed = common.seed;
  if (length_normalisation_)
    d.length_normalisation =
        *length_normalisation_ == "gnmt" ? decode::LengthNormalisation::kGnmt : decode::LengthNormalisation::kPower;
  if (early_stopping_) d.early_stopping = early_stopping_of(*early_stopping_);
  decode::validate(d, vocab_size);
  return d;
}

tasks::TranslateOptions DecodeOptions::resolve(const tasks::TranslationModel& model, const CommonOptions& common,
                                               const Json& task) const {
  tasks::TranslateOptions result;
  result.decode = apply_to(tasks::generation_defaults(*model.model, task), common, model.model->vocab_size());
  result.batch_size = static_cast<size_t>(batch_size_);
  // Two workers of one thread are faster than one of two: their steps need no waiting for each other.
  const int threads = common.threads > 0 ? common.threads : thread_count();
  result.workers = workers_ > 0 ? workers_ : threads;
  result.threads_per_worker = std::max(1, threads / result.workers);
  return result;
}

}  // namespace heed::cli
