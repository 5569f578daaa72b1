// Translation and summarisation with a trained sequence-to-sequence model: text in, text out, in several workers, in
// order.
//
// A TranslationModel is immutable and may serve many threads. What a sentence is batched with, the number of workers
// and the number of threads do not change its translation or its scores by a bit.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "heed/decode/decode.h"
#include "heed/models/interface.h"
#include "heed/models/load_options.h"
#include "heed/tasks/generation_defaults.h"
#include "heed/tasks/source_text.h"
#include "heed/text/tokenizer.h"

namespace heed::tasks {

struct TranslationModel {
  std::shared_ptr<const models::Seq2SeqModel> model;
  std::shared_ptr<const text::Tokenizer> tokenizer;

  // Reads a Hugging Face folder; `options`: how the model is loaded. Throws what the folder's, the family's and the
  // tokenizer's loaders throw, and FormatError if the tokenizer has ids that the model has no embedding for.
  static TranslationModel load(const std::filesystem::path& folder,
                               const models::LoadOptions& options = models::for_inference());
};

struct TranslateOptions {
  decode::Options decode;
  SourceLimits source;     // max_tokens 0: as many as the model has positions
  size_t batch_size = 32;  // sentences a worker decodes together
  size_t window = 4096;    // lines read ahead to be sorted by length
  int workers = 1;         // batches in flight, each with `threads_per_worker` threads
  int threads_per_worker = 1;
};

struct Translation {
  std::string text;
  float score = 0;  // of the length-normalised sum of log-probabilities; of a split source the mean of its parts'
  float sum_log_prob = 0;
  std::vector<int32_t> ids;            // as decoded, without start and end token
  std::vector<float> token_log_probs;  // if asked for by options.decode
};

// What translate_stream met on its way; nothing is dropped silently.
struct TranslateReport {
  uint64_t lines = 0, empty = 0;
  uint64_t cut = 0, split = 0;  // sources that were too long
  uint64_t source_tokens = 0, target_tokens = 0;
};

// Translates what `next_line` gives until it gives nothing; `write` gets the n-best list of each line, in order. An
// empty line gives an empty translation. Both functions are called by one thread at a time.
TranslateReport translate_stream(const TranslationModel& model, const TranslateOptions& options,
                                 const std::function<std::optional<std::string>()>& next_line,
                                 const std::function<void(std::vector<Translation>&&)>& write);

// The best translation of each line.
std::vector<std::string> translate_lines(const TranslationModel& model, const TranslateOptions& options,
                                         const std::vector<std::string>& lines);

// The log-probability of each target token (its end token last) given the source, for pairs of lines.
struct PairScore {
  float sum_log_prob = 0;
  std::vector<float> token_log_probs;
  std::vector<std::string> tokens;
};
std::vector<PairScore> score_pairs(const TranslationModel& model, const std::vector<std::string>& sources,
                                   const std::vector<std::string>& targets, size_t batch_size,
                                   const std::string& prefix = {});

}  // namespace heed::tasks
