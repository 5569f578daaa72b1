// Text for sequence-to-sequence models that learn to restore it: examples cut out of it, corrupted anew in each epoch
// (data/denoising.h), and the loss of a model on them.
//
// What an example is made into is a pure function of seed, epoch and example. Immutable, hence thread-safe.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "heed/data/denoising.h"
#include "heed/data/text_examples.h"
#include "heed/data/token_text.h"
#include "heed/models/interface.h"

namespace heed::tasks {

enum class Denoising : uint8_t { kSpans, kInfilling };

// The tokens that a tokenizer needs for it: <extra_id_0> … <extra_id_99>, or <mask>.
std::vector<std::string> tokens_for(Denoising kind);

struct NoisyTextOptions {
  Denoising kind = Denoising::kSpans;
  std::optional<double> density;  // 0.15 for spans, 0.3 for infilling
  double mean_length = 3;         // of spans
  bool permute = true;            // infilling: sentences change places
  bool packed = true;             // documents one behind the other, not each for itself
  uint32_t block = 0;             // tokens of an example's text
  std::filesystem::path cache;    // see data::TokenTextOptions
  std::string fingerprint;        // of the tokenizer, for the cache
  uint64_t seed = 1;
};

class NoisyText {
 public:
  // Reads and encodes the text. Throws what that throws, ConfigError if the tokenizer lacks a token that is needed.
  NoisyText(const data::TextSource& text, const text::Tokenizer& tokenizer, const NoisyTextOptions& options);

  size_t size() const { return examples_.size(); }
  std::vector<uint32_t> lengths() const { return examples_.lengths(); }
  const data::TokenStream& stream() const { return stream_; }

  // Puts example i < size() at the end of a batch, as it is corrupted in this epoch.
  void append(uint64_t epoch, uint32_t i, models::Seq2SeqBatch& batch) const;

 private:
  data::NoisyText corrupt(std::span<const int32_t> ids, Random& random) const;

  const NoisyTextOptions options_;
  data::TextFrame frame_;
  data::SpanNoise spans_;
  data::Infilling infilling_;
  const data::TokenStream stream_;
  const data::TextExamples examples_;
};

struct NoisyScore {
  double loss = 0;     // per target token
  int64_t tokens = 0;  // target tokens
};

// Of all examples, corrupted as in epoch 0. Nothing if `stop` (which may be empty) said so meanwhile.
std::optional<NoisyScore> noisy_score(const models::Seq2SeqModel& model, const NoisyText& text,
                                      const std::function<bool()>& stop = {});

}  // namespace heed::tasks
