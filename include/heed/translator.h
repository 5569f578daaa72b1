// Translation with a trained model: text in, text out.
//
// All strings are UTF-8; other bytes become U+FFFD. What a sentence is translated together with, the number of workers
// and of threads do not change its translation or the translation's scores by a bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "heed/error.h"
#include "heed/export.h"

namespace heed {

// How a translation is looked for. What is not set is as the model's generation_config.json says.
struct TranslateOptions {
  std::optional<int> beam;               // width of the search; 1 is greedy
  int n_best = 1;                        // translations per sentence: at most `beam`; or that many samples
  std::optional<double> length_penalty;  // scores are divided by the length to this power
  std::optional<int> max_new_tokens;     // longest translation in tokens
  int min_new_tokens = 0;                // shortest

  bool sample = false;               // draw tokens instead of searching: beam is then 1
  std::optional<float> temperature;  // divides the logits before drawing
  std::optional<int> top_k;          // draw from the K likeliest tokens; 0: from all
  std::optional<double> top_p;       // draw from the likeliest tokens of that joint probability; 1: from all
  uint64_t seed = 0;                 // sentence i of a call draws from (seed, i)

  bool token_log_probs = false;  // fill Translation::token_log_probs

  size_t batch_size = 32;      // sentences decoded together
  int workers = 1;             // batches in flight
  int threads_per_worker = 1;  // more workers of one thread are faster than fewer of several
};

struct Translation {
  std::string text;
  float score = 0;                     // sum_log_prob / length^length_penalty: what translations are ordered by
  float sum_log_prob = 0;              // natural logarithm, of the whole translation with its end token
  std::vector<int32_t> ids;            // of its tokens, without the end token
  std::vector<float> token_log_probs;  // one per token, then the end token's (unless the length ran out)
  bool operator==(const Translation&) const = default;
};

struct ScoreOptions {
  size_t batch_size = 32;  // pairs computed together
  int threads = 1;
};

// What a model thinks of a given translation.
struct PairScore {
  float sum_log_prob = 0;
  std::vector<std::string> tokens;     // of the target, the end token last
  std::vector<float> token_log_probs;  // one for each of `tokens`
  bool operator==(const PairScore&) const = default;
};

// A loaded model. Immutable: any number of threads may call its members at the same time. Copies share the model. An
// object that was moved from can only be assigned to or destroyed.
class HEED_API Translator {
 public:
  // Reads a Hugging Face folder (config.json, model.safetensors, tokenizer files). Throws BadModel, IoFailure.
  explicit Translator(const std::filesystem::path& folder);
  Translator(const Translator&);
  Translator(Translator&&) noexcept;
  Translator& operator=(const Translator&);
  Translator& operator=(Translator&&) noexcept;
  ~Translator();

  // The best translation of a sentence, in this thread. A blank sentence gives an empty one; one longer than the model
  // has positions for is cut, and said so in the log.
  std::string translate(const std::string& sentence, const TranslateOptions& options = {}) const;
  // The same for many sentences, which is faster than one at a time.
  std::vector<std::string> translate_batch(const std::vector<std::string>& sentences,
                                           const TranslateOptions& options = {}) const;
  // The options.n_best best translations of each sentence, the best first; at least one, and fewer if the search found
  // no more. Throws InvalidOptions, as the two above.
  std::vector<std::vector<Translation>> n_best(const std::vector<std::string>& sentences,
                                               const TranslateOptions& options = {}) const;

  // The log-probability of targets[i] as translation of sources[i]. Throws InvalidOptions for options out of range and
  // if there are not as many targets as sources, BadData for a pair longer than the model has positions for.
  std::vector<PairScore> score(const std::vector<std::string>& sources, const std::vector<std::string>& targets,
                               const ScoreOptions& options = {}) const;

 private:
  struct Model;
  std::shared_ptr<const Model> model_;
};

}  // namespace heed
