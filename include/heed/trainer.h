// Training of a translation model from parallel text, or of a given one further.
//
// The output folder holds the best model so far at any time, ready for Translator. A training that was stopped, or
// killed, goes on with `resume` as if nothing had been: with the same number of threads, bit for bit.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "heed/error.h"
#include "heed/export.h"

namespace heed {

// What to train, on what and how long. The program's `heed train translation --help` tells more of each.
struct TrainingOptions {
  // Text: one sentence a line, UTF-8, plain, gzip or zstd; line i of `target` translates line i of `source`.
  std::filesystem::path source, target;
  std::filesystem::path valid_source, valid_target;  // held out, to choose the best model by; both or neither
  std::filesystem::path output;                      // the folder to write
  bool resume = false;                               // go on with the training in `output`, if there is one

  // The model: a new one of this size, "tiny", "small", "base" or "big", or `init`, a model folder to begin with.
  std::string preset = "tiny";
  std::filesystem::path init;
  std::optional<float> dropout;  // in place of the preset's
  // The tokenizer of a new model is trained on the text: pieces of its joint vocabulary (fewer if not set and the text
  // is too small for 8000), and the languages as the folder names them.
  std::optional<int> vocab_size;
  std::string source_language, target_language;

  // The end, whichever comes first; 0: no such limit. Without steps, epochs and minutes: the preset's number of steps.
  int64_t max_steps = 0;
  uint64_t max_epochs = 0;
  double max_minutes = 0;  // of all runs of this training together
  int patience = 0;        // validations in a row without a better score

  // In place of the preset's values.
  std::optional<double> learning_rate;  // the highest; it falls with the inverse square root after the warm-up
  std::optional<int64_t> warmup;        // steps
  std::optional<int> batch_tokens;      // of the target, per step
  std::optional<float> label_smoothing;
  std::optional<int64_t> valid_every, save_every;  // steps; 0: only at the end

  uint64_t seed = 1;
  int threads = 0;  // 0: as many as OMP_NUM_THREADS says, or as there are cores
};

struct TrainingStep {
  int64_t step = 0;     // from 1
  uint64_t epoch = 0;   // from 0
  double progress = 0;  // of the work up to the nearest limit, in [0, 1]
  double loss = 0;      // per target token
  double learning_rate = 0;
  double gradient_norm = 0;
  int64_t target_tokens = 0;
  double seconds = 0;
  bool skipped = false;  // loss or gradients were not finite: nothing was changed
};

struct TrainingValidation {
  int64_t step = 0;
  std::string weights;                                  // "current", or "average": the mean of the last ones
  std::vector<std::pair<std::string, double>> metrics;  // "loss", "perplexity", "bleu", "chrf"
  bool best = false;                                    // now the model in the output folder
};

// Called by the training's thread; empty functions are left out. If one throws, the training stops as by `stop`, and
// train_translation throws the same exception.
struct TrainingHooks {
  std::function<void(const TrainingStep&)> stepped;
  std::function<void(const TrainingValidation&)> validated;
  std::function<bool()> stop;  // asked between steps; true: save the state and return
};

enum class TrainingEnd : uint8_t { kMaxSteps, kMaxEpochs, kMaxMinutes, kPatience, kStopped };

struct TrainingResult {
  TrainingEnd end = TrainingEnd::kMaxSteps;
  int64_t steps = 0;
  int64_t skipped_steps = 0;
  double seconds = 0;                      // of all runs of this training
  std::optional<TrainingValidation> best;  // how the output folder's model did, if it was validated
  bool saved = true;                       // false: the last state could not be written, and the log says why
};

// Trains. Throws InvalidOptions (also for an output folder that is in use or holds something else, and for options that
// differ from those that a resumed training began with), BadData, BadModel, IoFailure, OutOfMemory, Diverged. One
// training at a time in a process; translators may be used beside it.
HEED_API TrainingResult train_translation(const TrainingOptions& options, const TrainingHooks& hooks = {});

}  // namespace heed
