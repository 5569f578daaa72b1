// The decoding options that translate and evaluate share: a model's generation_config.json gives the defaults, flags
// override.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "heed/cli/command.h"
#include "heed/tasks/translation.h"

namespace heed::cli {

class DecodeOptions {
 public:
  // Adds the options to the command. The object must outlive command.parse().
  void add_to(Command& command);
  // The same without those of speed; the number of outputs per input is called `n`.
  void add_search_to(Command& command, const std::string& n = "n-best");

  // `defaults` with what was given in its place. A sampling control (--temperature and so on) asks for sampling, unless
  // --no-sample is given; a temperature of 0 is greedy search. Throws UsageError.
  decode::Options apply_to(decode::Options defaults, const CommonOptions& common, int vocab_size) const;

  // What the model's folder asks for, with the given flags in its place. Throws UsageError.
  // `task`: generation parameters that go before the folder's.
  tasks::TranslateOptions resolve(const tasks::TranslationModel& model, const CommonOptions& common,
                                  const Json& task = Json::object()) const;

 private:
  std::optional<int> beam_, n_best_, max_new_tokens_, min_new_tokens_, max_length_, min_length_, top_k_,
      no_repeat_ngram_size_;
  std::optional<double> length_penalty_, top_p_, min_p_, typical_p_;
  std::optional<float> temperature_, repetition_penalty_;
  std::optional<std::string> length_normalisation_, early_stopping_;
  std::optional<bool> sample_;
  bool ignore_eos_ = false;
  int batch_size_ = 32, workers_ = 0;
};

}  // namespace heed::cli
