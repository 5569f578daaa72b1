#include "heed/tasks/generation_defaults.h"

#include <fmt/ranges.h>

#include <limits>

#include "heed/io/config_reader.h"

namespace heed::tasks {
namespace {

// What `generate` has and Heed has not, with the values that mean nothing.
void refuse_unsupported(const io::ConfigReader& r) {
  r.allow_only("num_beam_groups", 1);
  r.allow_only("diversity_penalty", 0.0);
  r.allow_only("encoder_repetition_penalty", 1.0);
  r.allow_only("encoder_no_repeat_ngram_size", 0);
  r.allow_only("epsilon_cutoff", 0.0);
  r.allow_only("eta_cutoff", 0.0);
  r.allow_only("renormalize_logits", false);
  r.allow_only("low_memory", false);
  r.allow_only("penalty_alpha", 0.0);
  r.allow_only("token_healing", false);
  for (const char* key : {"begin_suppress_tokens", "constraints", "exponential_decay_length_penalty", "force_words_ids",
                          "dola_layers", "forced_decoder_ids", "guidance_scale", "max_time", "sequence_bias",
                          "stop_strings", "top_h", "watermarking_config"})
    r.allow_only(key, nullptr);
}

decode::EarlyStopping read_early_stopping(const io::ConfigReader& r) {
  const Json* value = r.find("early_stopping");
  if (value && value->is_string())
    return r.require_enum<decode::EarlyStopping>("early_stopping", {{"never", decode::EarlyStopping::kNever}});
  return r.get_or("early_stopping", false) ? decode::EarlyStopping::kTrue : decode::EarlyStopping::kFalse;
}

void read_search(const io::ConfigReader& r, decode::Options& o) {
  o.beam = r.get_or<int>("num_beams", 1, 1, 1024);
  o.length_penalty = r.get_or<double>("length_penalty", 1.0, -100, 100);
  o.early_stopping = read_early_stopping(r);
  o.max_length = r.get_or<int>("max_length", 0, 0, io::kMaxPositions);
  o.max_new_tokens = r.get_or<int>("max_new_tokens", 0, 0, io::kMaxPositions);
  o.min_length = r.get_or<int>("min_length", 0, 0, io::kMaxPositions);
  o.min_new_tokens = r.get_or<int>("min_new_tokens", 0, 0, io::kMaxPositions);
}

void read_sampling(const io::ConfigReader& r, decode::Options& o) {
  o.do_sample = r.get_or("do_sample", false);
  o.temperature = r.get_or<float>("temperature", 1.0f, 0, 1e6);
  o.top_k = r.get_or<int>("top_k", 50, 0, io::kMaxVocab);
  o.top_p = r.get_or<double>("top_p", 1.0, 0, 1);
  o.min_p = r.get_or<double>("min_p", 0.0, 0, 1);
  o.typical_p = r.get_or<double>("typical_p", 1.0, 0, 1);
}

void read_tokens(const io::ConfigReader& r, int vocab, decode::Options& o) {
  o.repetition_penalty = r.get_or<float>("repetition_penalty", 1.0f, 1e-6, 1e6);
  o.no_repeat_ngram_size = r.get_or<int>("no_repeat_ngram_size", 0, 0, 1024);
  for (const auto& word : r.id_lists("bad_words_ids")) o.bad_words_ids.emplace_back(word.begin(), word.end());
  for (const int id : r.ids("suppress_tokens")) o.suppress_tokens.push_back(id);
  o.forced_bos = r.get_or<int>("forced_bos_token_id", -1, 0, vocab - 1);
  for (const int id : r.ids("forced_eos_token_id")) o.forced_eos.push_back(id);
  for (const int id : r.ids("eos_token_id")) o.eos.push_back(id);
  o.decoder_start = r.get_or<int>("decoder_start_token_id", -1, 0, vocab - 1);
}

}  // namespace

std::vector<TaskParameters> task_parameters(const Json& config) {
  std::vector<TaskParameters> tasks;
  const auto found = config.find("task_specific_params");
  if (found == config.end() || found->is_null()) return tasks;
  check<ConfigError>(found->is_object(), "config.json: task_specific_params is no object");
  for (const auto& [name, parameters] : found->items()) {
    const io::ConfigReader r(parameters, "config.json: task_specific_params." + name);
    tasks.push_back({name, r.get_or("prefix", ""), parameters});
  }
  return tasks;
}

TaskParameters find_task(const Json& config, const std::string& name) {
  std::vector<std::string> names;
  for (TaskParameters& task : task_parameters(config)) {
    if (task.name == name) return std::move(task);
    names.push_back(task.name);
  }
  fail<UsageError>("the model has no parameters for a task \"{}\"; it has {}", name,
                   names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
}

decode::Options generation_defaults(const models::Model& model, const models::Generator& generator,
                                    const Json& overrides) {
  const Json& config = model.config();
  const bool own_file = model.generation_config().has_value();
  Json merged = own_file ? *model.generation_config() : config;
  if (!merged.is_object()) merged = Json::object();
  if (overrides.is_object()) merged.update(overrides);
  const io::ConfigReader r(merged, own_file ? "generation_config.json" : "config.json");
  decode::Options o;
  refuse_unsupported(r);
  read_search(r, o);
  read_sampling(r, o);
  read_tokens(r, generator.vocab_size(), o);
  // A folder that says nowhere what ends an output would never end one.
  if (o.eos.empty() && config.is_object())
    for (const int id : io::ConfigReader(config, "config.json").ids("eos_token_id")) o.eos.push_back(id);
  const int longest = generator.max_length();
  if (o.max_length == 0) o.max_length = longest == std::numeric_limits<int>::max() ? kDefaultLength : longest;
  return o;
}

}  // namespace heed::tasks
